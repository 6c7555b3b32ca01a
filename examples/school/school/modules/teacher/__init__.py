"""The teacher area: pages for the role teacher."""

from tornkit import Module, path, roles

from .handlers import CoursePage, Dashboard

module = Module(
    access=roles("teacher"),
    routes=[
        path("/", Dashboard, name="dashboard"),
        path("/courses/{course_id:int}", CoursePage, name="course"),
    ],
)
