"""The pages of teachers, behind a door that only its role opens."""

from tornkit import Module, path, roles

from .handlers import CoursePage, Dashboard

module = Module(
    access=roles("teacher"),
    routes=[
        path("/", Dashboard, name="dashboard"),
        path("/courses/{course_id:int}", CoursePage, name="course"),
    ],
)
