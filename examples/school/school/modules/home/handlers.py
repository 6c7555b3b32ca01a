"""The pages of the site that belong to nobody in particular."""

from school.handlers import Page


class Home(Page):
    """The start page, with the doors that are open to the visitor."""

    async def get(self) -> None:
        self.response_html("home/index.html", areas=self.areas())
