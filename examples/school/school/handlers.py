"""What the handlers of all modules share."""

from typing import Any

from tornkit import PUBLIC, AppError, Application, BaseHandler


class Page(BaseHandler):
    """A page of this site."""

    def areas(self) -> dict[str, str]:
        """Return name and address of every module that the visitor may enter."""
        assert isinstance(self.application, Application)
        user = self.current_user
        return {
            module.url_path: f"{module.prefix}/"
            for module in self.application.modules
            if module.name not in {"home", "account"}
            and (module.access == PUBLIC or (user and module.access.admits(user.roles)))
        }

    def show_form(self, template: str, error: AppError | None = None, **data: Any) -> None:
        """Show a form: empty, or after an error filled in again, with what was wrong.

        A client that asks for JSON gets the error as JSON.
        """
        if error is not None and self.wants_json():
            raise error
        sent = [name for name in self.request.arguments if "password" not in name]
        values = {name: self.get_argument(name) for name in sent}
        self.response_html(template, error, values=values, next=self.next_url(""), **data)
