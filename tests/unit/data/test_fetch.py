"""The registry, the download and the readers, on the published files and on a server that misbehaves."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nestmat.config.datasets import DatasetSpec
from nestmat.data.fetch import fetch
from nestmat.data.reading import read
from nestmat.errors import InputError
from nestmat.files import sha256

CONTENT = np.random.default_rng(0).bytes(300_000)


CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("url", "ending"),
    [
        ("https://example.org/a.csv", "csv"),
        ("https://example.org/a.parquet", "parquet"),
        ("https://example.org/A.PARQUET?version=2", "parquet"),
        ("https://example.org/download?file=7", "csv"),
    ],
)
def test_a_downloaded_file_keeps_the_ending_by_which_it_is_read(url, ending, tmp_path):
    spec = DatasetSpec(title="t", url=url, sha256="0" * 64, columns={"a": {}})
    assert spec.download("mine") == f"downloads/mine-000000000000.{ending}"
    content = tmp_path / f"source.{ending}"
    frame = pd.DataFrame({"a": [1.5, 2.5]})
    frame.to_csv(content, index=False) if ending == "csv" else frame.to_parquet(content)
    spec = spec.model_copy(update={"sha256": sha256(content), "mirror": content.name})
    target = tmp_path / spec.download("mine")
    fetch(spec, target, mirror=tmp_path)
    assert read(spec, target, name="mine").frame["a"].tolist() == [1.5, 2.5]


class Server:
    """Serves CONTENT on the loopback interface; ``plan`` says what each request in turn meets."""

    def __init__(self) -> None:
        self.plan: list[str] = []
        self.ranges: list[str | None] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.ranges.append(self.headers.get("Range"))
                outer.answer(self, outer.plan.pop(0) if outer.plan else "good")

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data.csv"

    def answer(self, handler: http.server.BaseHTTPRequestHandler, how: str) -> None:
        if how.isdigit():
            handler.send_response(int(how))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = 0
        if (asked := handler.headers.get("Range")) and how != "ignore range":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(CONTENT):
            handler.send_response(416)
            handler.end_headers()
            return
        body = CONTENT[start:]
        if how == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        told = start + 7 if how == "shift" else start
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {told}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if how != "no length":
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if how == "drop" else body)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def download(server, tmp_path) -> Callable[..., Path]:
    def run(checksum: str = CHECKSUM, **options: object) -> Path:
        spec = DatasetSpec(
            title="served", url=server.url, sha256=checksum, mirror="set/data.csv", columns={"a": {}}
        )
        target = tmp_path / "downloads" / "data.csv"
        fetch(spec, target, **{"backoff": 0.001, "timeout": 5, **options})
        return target

    return run


def left(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "plan",
    [
        [],
        ["no length"],
        ["drop", "drop", "drop"],
        ["503", "429", "drop", "500"],
        ["drop", "ignore range"],
        ["drop", "shift", "good"],
    ],
    ids=lambda plan: "-".join(plan) or "good",
)
def test_download_survives(server, download, tmp_path, plan):
    server.plan = list(plan)
    target = download()
    assert target.read_bytes() == CONTENT
    assert left(tmp_path) == ["data.csv"]


def test_download_resumes_where_it_stopped(server, download):
    server.plan = ["drop", "drop"]
    download()
    assert server.ranges[0] is None
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.ranges[1:]]
    # The last chunk before a break may be lost.
    assert starts == pytest.approx([len(CONTENT) / 2, len(CONTENT) * 3 / 4], abs=2**14)


def test_download_resumes_in_the_next_call(server, download, tmp_path):
    server.plan = ["drop", "503", "503"]
    with pytest.raises(InputError, match=r"503.*\(2 attempts\).*it resumes"):
        download(attempts=2)
    assert left(tmp_path) == ["data.csv.part"]
    download()
    assert server.ranges[-1].startswith("bytes=1")


@pytest.mark.parametrize(
    "stale", [b"stale" * 10, CONTENT + b"more", CONTENT], ids=["other", "longer", "whole"]
)
def test_a_part_of_another_file_is_not_kept(server, download, tmp_path, stale):
    part = tmp_path / "downloads" / "data.csv.part"
    part.parent.mkdir()
    part.write_bytes(stale)
    assert download().read_bytes() == CONTENT


def test_wrong_content_leaves_no_file(server, download, tmp_path):
    server.plan = ["wrong"]
    with pytest.raises(InputError) as caught:
        download()
    assert CHECKSUM in str(caught.value)
    assert str(caught.value).count("sha256") == 1
    assert caught.value.remedy
    assert left(tmp_path) == []


def test_not_found_is_final(server, download, tmp_path):
    server.plan = ["404"]
    with pytest.raises(InputError, match="404"):
        download()
    assert len(server.ranges) == 1
    assert left(tmp_path) == []


def test_no_server(tmp_path):
    spec = DatasetSpec(title="none", url="http://127.0.0.1:9/a.csv", sha256=CHECKSUM, columns={"a": {}})
    with pytest.raises(InputError, match=r"cannot be downloaded.*2 attempts"):
        fetch(spec, tmp_path / "a.csv", attempts=2, backoff=0.001)
    assert left(tmp_path) == []


def test_bad_address(tmp_path):
    spec = DatasetSpec(title="none", url="no-scheme/a.csv", sha256=CHECKSUM, columns={"a": {}})
    with pytest.raises(InputError, match="is not an address"):
        fetch(spec, tmp_path / "a.csv")


def test_mirror_is_used_and_verified(server, download, tmp_path):
    copy = tmp_path / "mirror" / "set" / "data.csv"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT)
    target = download(mirror=tmp_path / "mirror")
    assert sha256(target) == CHECKSUM
    assert server.ranges == []
    target.unlink()
    copy.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError) as caught:
        download(mirror=tmp_path / "mirror")
    assert caught.value.file == copy
    assert not list(target.parent.iterdir())


def test_mirror_without_the_file_downloads(server, download, tmp_path):
    (tmp_path / "mirror").mkdir()
    download(mirror=tmp_path / "mirror")
    assert len(server.ranges) == 1


def test_mirror_that_is_no_folder(download, tmp_path):
    with pytest.raises(InputError, match="NESTMAT_MIRROR"):
        download(mirror=tmp_path / "absent")
