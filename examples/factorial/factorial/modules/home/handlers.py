"""Factorials, computed once a day and otherwise taken from the cache."""

from tornkit import BaseHandler, FormError
from tornkit.encoding import MAX_INT_DIGITS

from factorial.app import Site

from .queries import MAX_N, Number


class Factorials(BaseHandler):
    """What the handlers of this module share."""

    application: Site
    uses_session = False

    async def factorial(self, n: int) -> tuple[str, bool]:
        """Return the digits of n!, and whether they were there without being computed now.

        Whoever asks while they are computed waits for that one computation.
        """
        cached = True

        async def compute() -> str:
            nonlocal cached
            cached = False
            return await self.application.calculator.factorial(n)

        digits = await self.cache.get_or_set(f"factorial:{n}", compute, ttl="1d")
        return digits, cached


class Factorial(Factorials):
    """Answer in JSON."""

    def wants_json(self) -> bool:
        return True

    async def get(self) -> None:
        n = self.parse_query(Number).n
        digits, cached = await self.factorial(n)
        # JSON answers carry integers of so many digits, and Python reads no longer ones.
        fact = int(digits) if len(digits) <= MAX_INT_DIGITS else digits
        self.response_json(n=n, fact=fact, cached=cached)


class Home(Factorials):
    """Show the form, and the result below it."""

    async def get(self) -> None:
        if "n" not in self.request.query_arguments:
            self.show()
            return
        try:
            n = self.parse_query(Number).n
        except FormError as error:
            self.show(error, n=error.values.get("n", ""))
            return
        digits, cached = await self.factorial(n)
        self.show(n=n, digits=digits, cached=cached)

    def show(
        self,
        error: FormError | None = None,
        *,
        n: object = "",
        digits: str = "",
        cached: bool = False,
    ) -> None:
        self.response_html(
            "home/index.html", error, n=n, digits=digits, cached=cached, largest=MAX_N
        )
