"""The health process: what it answers, to whom, and that nothing of a traveller can become a label."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.evidence import Direction
from gate.outcome import Outcome
from gate.processes import health as module
from gate.processes.channel import Channel, role_secret, serve
from gate.processes.health import STALE_S, Board, Server, follow
from gate.processes.messages import Histogram, Join, LaneHealth
from gate.processes.metrics import exposition
from gate.processes.vitals import OTHER, STAGES, Vitals
from gate.records import StageTiming, TransactionRecord
from gate.registries.contracts import CONTRACTS, CROSSING

HEALTH = LaneHealth(
    state="idle",
    in_service=True,
    causes=(),
    stuck="",
    outcomes={"OPEN": 3, "COUNTER": 1},
    stages={"mrz": Histogram(bounds=(0.1, 1.0), counts=(2, 1, 1), total=2.5)},
    link_losses={"silent": 1},
    damaged_frames=7,
    loop_lag=Histogram(bounds=(0.001,), counts=(5, 0), total=0.002),
    queue=0,
    clock_trusted=True,
    devices={"controller": True, "vision": False},
    joins={"vision": 2},
    uptime_s=12.5,
)


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def board():
    board = Board(Time())
    board.told(HEALTH)
    return board


def test_a_lane_that_works_is_healthy_and_one_in_service_ready(board):
    assert board.answer("/healthz")[0] == 200
    assert board.answer("/readyz")[::2] == (200, "idle\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_lane_that_told_nothing_for_a_while_is_neither(board, path):
    board._now.now += STALE_S + 0.1
    assert board.answer(path)[0] == 503
    assert "autogate_up 0" in board.answer("/metrics")[2]
    assert "idle" not in board.answer("/metrics")[2], "figures of a lane that is gone"


def test_out_of_service_says_why_and_is_healthy_all_the_same(board):
    board.told(msgspec.structs.replace(HEALTH, state="out_of_service", in_service=False, causes=("vision: camera: gone",)))
    assert board.answer("/readyz")[::2] == (503, "out_of_service\nvision: camera: gone\n")
    assert board.answer("/healthz")[0] == 200


def test_a_lane_that_does_not_go_by_the_newest_rules_is_ready_and_says_so(board):
    assert "autogate_rules_current 1\n" in board.answer("/metrics")[2]
    board.told(msgspec.structs.replace(HEALTH, rules_problem="statement 3 is signed by 1 of 2 people"))
    assert board.answer("/readyz")[::2] == (200, "idle\nrules: statement 3 is signed by 1 of 2 people\n")
    assert "autogate_rules_current 0\n" in board.answer("/metrics")[2]
    board.told(msgspec.structs.replace(HEALTH, trust_problem="statement 4 is older than 5"))
    assert board.answer("/readyz")[::2] == (200, "idle\ntrust: statement 4 is older than 5\n")
    assert "autogate_trust_current 0\n" in board.answer("/metrics")[2]
    board.told(msgspec.structs.replace(HEALTH, fleet_problem="7 records not received"))
    assert board.answer("/readyz")[::2] == (200, "idle\nfleet: 7 records not received\n")
    assert "autogate_fleet_current 0\n" in board.answer("/metrics")[2]


def test_counters_are_told_to_the_last_digit_after_years_of_service():
    years = msgspec.structs.replace(
        HEALTH, damaged_frames=1_234_567_891, loop_lag=Histogram(bounds=(0.001,), counts=(1_261_440_001, 1), total=1234567.891)
    )
    told = exposition(years).splitlines()
    assert "autogate_link_damaged_frames_total 1234567891" in told
    assert 'autogate_lane_loop_lag_seconds_bucket{le="0.001"} 1261440001' in told
    assert "autogate_lane_loop_lag_seconds_count 1261440002" in told
    assert "autogate_lane_loop_lag_seconds_sum 1234567.891" in told


def test_a_part_that_hangs_is_not_healthy(board):
    board.told(msgspec.structs.replace(HEALTH, stuck="log"))
    assert board.answer("/healthz")[::2] == (503, "log hangs\n")


SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? [-+.0-9eEinf]+')


def test_metrics_are_prometheus_text_with_cumulated_buckets():
    lines = exposition(HEALTH).splitlines()
    told = [line for line in lines if not line.startswith("#")]
    assert [line for line in told if not SAMPLE.fullmatch(line)] == []
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    for line in (
        'autogate_stage_seconds_bucket{stage="mrz",le="0.1"} 2',
        'autogate_stage_seconds_bucket{stage="mrz",le="1"} 3',
        'autogate_stage_seconds_bucket{stage="mrz",le="+Inf"} 4',
        'autogate_stage_seconds_count{stage="mrz"} 4',
        'autogate_stage_seconds_sum{stage="mrz"} 2.5',
        'autogate_transactions_total{outcome="OPEN"} 3',
        'autogate_link_losses_total{reason="silent"} 1',
        "autogate_link_damaged_frames_total 7",
        'autogate_device_up{device="vision"} 0',
        'autogate_process_joins_total{process="vision"} 2',
    ):
        assert line in told


def record(**fields) -> TransactionRecord:
    stage = StageTiming(name="SANTOSO BUDI", start_ms=0, duration_ms=20, result="x")
    now = datetime.now(UTC)
    known = dict.fromkeys(("transaction", "lane", "checkpoint", "document_class", "document_key"), "x")
    return TransactionRecord(
        **known,
        direction=Direction.DEPARTURE,
        started=now,
        ended=now,
        outcome=Outcome.OPEN,
        reasons=(),
        stages=(stage, msgspec.structs.replace(stage, name="mrz")),
        decisions=(),
        backends={},
        demonstration=True,
        **fields,
    )


def test_a_stage_whose_name_a_worker_made_up_becomes_no_label():
    vitals = Vitals()
    vitals.ended(record())
    assert set(vitals.stages) == {OTHER, "mrz"} <= STAGES | {OTHER}
    assert vitals.stages["mrz"].told().counts.index(1) == 2
    assert vitals.outcomes["OPEN"] == 1


@pytest.fixture
async def port(board):
    async with await Server(board, 0).listen() as server:
        yield server.sockets[0].getsockname()[1]


async def asked(port: int, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    writer.write_eof()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


async def test_it_answers_http_and_only_to_its_own_name(port):
    answer = await asked(port, f"GET /metrics?x=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert (await asked(port, f"HEAD /healthz HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())).endswith(b"close\r\n\r\n")
    for question, status in {
        f"GET /healthz HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n": 421,
        "GET /healthz HTTP/1.1\r\n\r\n": 421,
        f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n": 421,
        f"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n": 405,
        f"GET /etc/passwd HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n": 404,
        "nonsense\r\n\r\n": 400,
    }.items():
        assert (await asked(port, question.encode())).startswith(f"HTTP/1.1 {status} ".encode()), question


async def test_whoever_asks_slowly_much_or_not_at_all_is_hung_up_on(port, monkeypatch):
    monkeypatch.setattr(module, "QUESTION_S", 0.05)
    assert await asked(port, b"x" * 100_000) == b""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()
    assert b"200 OK" in await asked(port, f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())


@given(st.binary(max_size=300))
def test_any_question_gets_an_answer_of_ours(raw):
    board = Board(Time())
    reply = Server(board, 8412)._reply(raw.decode("latin-1").split("\r\n"), 8412)
    assert re.match(rb"HTTP/1\.1 (200|400|404|405|421|503) ", reply)


async def test_it_follows_the_lane_and_notices_when_it_goes(tmp_path, board, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    peers: list[Channel] = []

    async def on_peer(join: Join, channel: Channel) -> None:
        assert join.role == "health"
        peers.append(channel)
        channel.tell(msgspec.structs.replace(HEALTH, state=f"told {len(peers)}"))
        await channel.receive()

    server = await serve(tmp_path / "lane", "secret", on_peer)
    following = asyncio.create_task(follow(board, tmp_path / "lane", role_secret("secret", "health")))
    async with asyncio.timeout(5):
        while board.fresh is None or board.fresh.state != "told 1":
            await asyncio.sleep(0.005)
        peers[0].abort()
        while board.fresh is None or board.fresh.state != "told 2":
            await asyncio.sleep(0.005)
        server.close()
        peers[1].abort()
        while board.fresh is not None:
            await asyncio.sleep(0.005)
    following.cancel()


def test_every_registry_that_is_asked_is_a_stage_of_its_own_name():
    assert {f"registry.{name}" for name in CONTRACTS if name != CROSSING} <= STAGES
