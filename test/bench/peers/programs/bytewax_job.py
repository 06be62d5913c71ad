"""The whole job as a bytewax dataflow: state in memory, no recovery store.

    python bytewax_job.py BOOTSTRAP TOPIC PROCESS ADDRESSES

Says `counted N` on the way and `result JSON` at the end of the topic; ends when its input does.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import cluster_main
from confluent_kafka import OFFSET_BEGINNING

bootstrap, topic, process, addresses = sys.argv[1:5]

STEP = 5_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# bytewax has one watermark for each key over all partitions, and processes read theirs as far apart as it comes: nothing is late.
WAIT = timedelta(days=1)

counted = 0
result = {}


def parse(messages):
    events = (json.loads(message.value) for message in messages)
    return [event for event in events if event["event"] == "loan" and event["amount"] >= 0]


def time_of(event):
    return EPOCH + timedelta(milliseconds=event["eventTime"])


def fold_loan(state, event):
    global counted
    users, figures = state
    is_success = event["status"] == "success"
    user = event["userId"]
    before = users.get(user)
    if before is None:
        figures["users"] += 1
    if is_success and not before:
        figures["success"] += 1
    if before is None or (is_success and not before):
        users[user] = is_success
    figures["events"] += 1
    if is_success:
        figures["rawSuccess"] += 1
    counted += 1
    if counted % STEP == 0:
        print("counted", counted, flush=True)
    return state


def unmerged(*_):
    raise AssertionError("tumbling windows are never merged")


class Results(DynamicSink, StatelessSinkPartition):
    """Collects panes in this process."""

    def build(self, _step_id, _worker_index, _worker_count):
        return self

    def write_batch(self, items):
        result.update(items)


clock = EventClock(ts_getter=time_of, wait_for_system_duration=WAIT)
hours = TumblingWindower(length=timedelta(hours=1), align_to=EPOCH)


def hour(window):
    return window * 3_600_000


def loan_figures(pane):
    series, (window, (_, figures)) = pane
    return [(f"loan {hour(window)} {series} {name}", value) for name, value in figures.items()]


def channel_figure(pane):
    series, (window, events) = pane
    return (f"channel {hour(window)} {series}", events)


flow = Dataflow("loans")
source = KafkaSource([bootstrap], [topic], starting_offset=OFFSET_BEGINNING, tail=False)
events = op.flat_map_batch("parse", op.input("topic", flow, source), parse)
loans = win.fold_window(
    "loan",
    op.key_on("series", events, lambda event: event["bizLine"] + " " + event["product"]),
    clock,
    hours,
    lambda: ({}, {"users": 0, "success": 0, "events": 0, "rawSuccess": 0}),
    fold_loan,
    unmerged,
    ordered=False,
)
channels = win.count_window(
    "channel", events, clock, hours, lambda event: event["channel"] + " " + event["status"]
)
op.output("loans", op.flat_map("figures", loans.down, loan_figures), Results())
op.output("channels", op.map("figure", channels.down, channel_figure), Results())

if __name__ == "__main__":
    cluster_main(flow, addresses.split(","), int(process))
    print("counted", counted)
    print("result", json.dumps(result), flush=True)
    sys.stdin.read()
