"""A shop in Python beside an API with Offload, on one RabbitMQ.

    python3 orders.py place ORDER...   publishes orders to the shop's own exchange, where shop.ts finds them
    python3 orders.py follow           prints the jobs that Offload publishes, a line of JSON each, until stopped

Needs pika (requirements.txt) and the server of AMQP_URL.
"""

import json
import os
import secrets
import sys

import pika

EXCHANGE = "shop"
JOBS = "offload.jobs"  # {prefix}.jobs
QUEUE = "receipts"  # the queue of the task: the routing key there


def place(channel, *orders):
    """Durable, confirmed, and refused where no queue is bound: nothing is lost on the way."""
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    channel.confirm_delivery()
    for order in orders:
        trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        properties = pika.BasicProperties(
            message_id=f"order-{order}",  # the id of the job: published twice, it runs once
            content_type="application/json",
            delivery_mode=pika.DeliveryMode.Persistent,
            headers={"traceparent": trace},
        )
        body = json.dumps({"orderId": order, "to": "ada@example.com"})
        channel.basic_publish(EXCHANGE, "order.placed", body, properties, mandatory=True)
        say({"placed": order, "traceparent": trace})


def follow(channel):
    """A queue of one's own gets a copy of each message. It drops the oldest when full: Offload must not wait for its reader."""
    bounded = {"x-max-length": 10_000, "x-overflow": "drop-head"}
    queue = channel.queue_declare("shop.audit", durable=True, arguments=bounded).method.queue
    channel.queue_bind(queue, JOBS, QUEUE)
    say({"following": queue})
    for method, properties, body in channel.consume(queue):
        if properties.content_type == "application/json":  # not several jobs in one message
            say(job_of(properties, body))
        channel.basic_ack(method.delivery_tag)


def job_of(properties, body):
    return {
        "id": properties.correlation_id,
        "task": properties.type,
        "priority": properties.priority,
        "acceptedAt": properties.headers["offload-created-at"],
        "traceparent": properties.headers.get("traceparent"),
        "input": json.loads(body),
    }


def say(what):
    print(json.dumps(what), flush=True)


def main(command="", *arguments):
    commands = {"place": place, "follow": follow}
    if command not in commands:
        sys.exit(__doc__)
    url = os.environ.get("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2F")
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        commands[command](connection.channel(), *arguments)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except pika.exceptions.UnroutableError:
        sys.exit("no queue is bound to the exchange: start shop.ts first")
    except KeyboardInterrupt:
        pass
