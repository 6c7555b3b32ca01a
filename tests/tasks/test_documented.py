"""Everything public of this room is on its page."""

from __future__ import annotations

import pytest

from tests.docs.test_documented import REFERENCE, is_told, own
from tornkit import tasks
from tornkit.tasks.options import TaskOptions


@pytest.mark.parametrize(
    "names",
    [
        tasks.__all__,
        own(tasks.Tasks),
        own(tasks.Job),
        own(tasks.Task),
        own(tasks.Call),
        own(tasks.TaskContext),
        ["run", "begin", "stop", "give_up"],
        [name for name in own(TaskOptions) if name != "is_polling"],
    ],
    ids=["room", "Tasks", "Job", "Task", "Call", "TaskContext", "Worker", "options"],
)
def test_every_public_name_is_on_the_page(names: list[str]) -> None:
    assert [name for name in names if not is_told(name, REFERENCE["tasks"])] == []
