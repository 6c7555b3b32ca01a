"""The one page of the site."""

from tornkit import BaseHandler


class Home(BaseHandler):
    """Show the page; who is signed in is the client's question to the API."""

    uses_session = False

    async def get(self) -> None:
        self.response_html("home/index.html")
