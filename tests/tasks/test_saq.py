"""What this room relies on in SAQ, and stands in for, is still what it was when we read it.

A test that fails here after an upgrade of SAQ is a request: read the new source beside ours, adapt
that if need be, or drop it where SAQ has mended what we had mended; then write the value that the
failure shows.
"""

from __future__ import annotations

import inspect

import pytest
from saq.job import Job
from saq.queue import Queue

from tests.test_fingerprints import fingerprint_of

PINNED = {
    # Used as they are.
    "saq.worker.Worker.__init__": "b6ce2322605ce31b",
    "saq.worker.Worker._process": "495bed70cf8f2397",
    "saq.queue.base.Queue.copy": "1fa8e6cd4edfd909",
    "saq.queue.base.Queue.deserialize": "e58df462f089446e",
    "saq.queue.base.Queue.update": "697fea96cbffc273",
    "saq.queue.base.Queue.worker_info": "eddd2ece6a186942",
    "saq.job.Job.to_dict": "d07cfc91641a3803",
    "saq.job.Job.next_retry_delay": "498026d090aebc27",
    "saq.queue.postgres.PostgresQueue.__init__": "5a652292c9af9ba5",
    "saq.queue.postgres.PostgresQueue.dequeue": "f6eaafd8ec934cf2",
    "saq.queue.postgres.PostgresQueue.info": "97bf1cec6141badc",
    "saq.queue.postgres.PostgresQueue.write_worker_info": "799e8e877daf8ba4",
    "saq.multiplexer.Multiplexer.listen": "6f84e5afe9fefb4a",
    "saq.queue.redis.RedisQueue.__init__": "2143cf7e81034380",
    "saq.queue.redis.RedisQueue.info": "2c92b5e28f31f758",
    "saq.queue.redis.RedisQueue.jobs": "44c53d45507500c2",
    # Stood in for.
    "saq.worker.Worker.start": "4508693443d2bda6",
    "saq.worker.Worker.process": "c7f5f2f209b09ad0",
    "saq.worker.Worker.stop": "034719859f0c07c6",
    "saq.queue.base.Queue.finish": "50a3e5c34c42a556",
    "saq.queue.base.Queue.retry": "8707fa768f521ce1",
    "saq.queue.postgres.PostgresQueue.init_db": "31299dcb339ab6d7",
    "saq.queue.postgres.PostgresQueue._dequeue": "6860b56ef826b88c",
    "saq.queue.postgres.PostgresQueue.abort": "0e04232ad5396148",
    "saq.queue.postgres.PostgresQueue.sweep": "4d6dc0bb778a5293",
    "saq.queue.redis.RedisQueue.dequeue": "4c3fa3bacf8572cb",
    "saq.queue.redis.RedisQueue.abort": "60c46cea3e333a4e",
    "saq.queue.redis.RedisQueue.sweep": "951058afb7cfb0df",
    "saq.queue.redis.RedisQueue.write_worker_info": "f2725ffa59185379",
}


@pytest.mark.parametrize("name", PINNED)
def test_saq_is_as_it_was_read(name: str) -> None:
    found = fingerprint_of(name)
    assert found == PINNED[name], f"{name} is now {found}: read it again, then pin it"


def test_a_job_has_the_fields_that_rows_are_made_of() -> None:
    assert set(inspect.signature(Job).parameters) == {
        *("function", "kwargs", "queue", "key", "timeout", "heartbeat", "retries", "ttl"),
        *("retry_delay", "retry_backoff", "scheduled", "progress", "attempts", "completed"),
        *("queued", "started", "touched", "result", "error", "status", "priority", "group_key"),
        *("meta", "worker_id"),
    }


def test_a_queue_is_asked_for_what_we_answer() -> None:
    asked = {
        *("disconnect", "info", "count", "sweep", "_update", "job", "jobs", "iter_jobs", "abort"),
        *("dequeue", "write_worker_info", "_retry", "_finish", "_enqueue"),
    }
    assert Queue.__abstractmethods__ == asked
