"""The embedded MQTT broker: amqtt on loopback with our accounts, in a process of its own.

For trying the product and for tests: it keeps sessions and retained messages in memory only.
`python -m fablab.embedded.broker --config FILE`, where FILE is JSON: {"port": N, "credentials": PATH}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import amqtt.broker
from amqtt.broker import Broker, BrokerContext
from amqtt.contexts import Action, BaseContext
from amqtt.errors import BrokerError, MQTTError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from fablab.embedded.broker_rights import Accounts
from fablab.telemetry.broker_accounts import same_bridge

log = logging.getLogger("fablab.broker")


class Rights(BaseAuthPlugin, BaseTopicPlugin):
    """Asks our accounts about every connection, publication, subscription and delivery."""

    @dataclass
    class Config:
        credentials: str

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self.accounts = Accounts(Path(self.config.credentials))

    async def authenticate(self, *, session: Session) -> bool:
        user = self.accounts.admit(session.username, session.password)
        if user is None:
            return _refused("connection as %r: unknown name or wrong password", session.username)
        if session.will_flag and not user.may_publish(session.will_topic or ""):
            return _refused("connection as %r: last will on %r", session.username, session.will_topic)
        known = cast(BrokerContext, self.context).get_session(session.client_id or "")
        if known is None or known is session:
            return True
        if not same_bridge(known.username, session.username):
            return _refused("connection as %r: client id of %r", session.username, known.username)
        return True

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        user = self.accounts.find(session.username) if session else None
        if session is None or user is None or topic is None:
            return False
        if action is Action.PUBLISH:
            return user.may_publish(topic) or _refused("%r may not write %r", session.username, topic)
        if action is Action.SUBSCRIBE:
            return user.may_subscribe(topic) or _refused("%r may not read %r", session.username, topic)
        return user.may_receive(topic)


class GatedHandler(BrokerProtocolHandler):
    """Refuses a client before it touches anything.

    amqtt 0.12.1 asks its plugins only after it has deleted or changed the session that has the
    newcomer's client id: without this gate a wrong password could disturb a client at work.
    """

    @classmethod
    async def init_from_connect(
        cls, reader: Any, writer: Any, plugins_manager: Any, loop: Any = None
    ) -> tuple[BrokerProtocolHandler, Session]:
        handler, session = await super().init_from_connect(reader, writer, plugins_manager, loop)
        verdicts = (await plugins_manager.map_plugin_auth(session=session)).values()
        if not verdicts or not all(verdicts):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            await writer.close()
            raise MQTTError("not authorised")
        return handler, session


class GatedBroker(Broker):
    """amqtt's broker without one leak."""

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # amqtt 0.12.1 calls this on every connection for every filter *anybody* subscribed to, and
        # would hand a bridge the retained messages of all labs.
        holders = self._subscriptions.get(subscription[0], [])
        if any(holder.client_id == session.client_id for holder, _ in holders):
            await super()._publish_retained_messages_for_subscription(subscription, session)


def _refused(reason: str, *names: str | None) -> bool:
    log.warning("refused: " + reason, *names)
    return False


async def serve(port: int, credentials: str) -> None:
    """Run until SIGTERM or SIGINT. Raises BrokerError when the port is taken."""
    amqtt.broker.BrokerProtocolHandler = GatedHandler
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    loop.set_exception_handler(lambda _, context: log.debug("%s", context.get("exception") or context))
    broker = GatedBroker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {f"{Rights.__module__}.Rights": {"credentials": credentials}},
        }
    )
    await broker.start()
    log.info("listening on 127.0.0.1:%d", port)
    await asked_to_stop.wait()
    try:
        await asyncio.wait_for(broker.shutdown(), 3)
    except (TimeoutError, asyncio.QueueEmpty):
        log.info("stopped with clients connected")


def main() -> None:
    arguments = argparse.ArgumentParser(prog="fablab.embedded.broker")
    arguments.add_argument("--config", type=Path, required=True)
    config = json.loads(arguments.parse_args().config.read_text())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # They tell every client's every step, and a crossed line as an error; `log` says what matters.
    for chatty in ("amqtt", "transitions"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    try:
        asyncio.run(serve(int(config["port"]), config["credentials"]))
    except (BrokerError, OSError) as error:
        log.error("%s", error)
        sys.exit(1)
    # Nothing is kept anyway, and a client that does not read must not hold up the end.
    os._exit(0)


if __name__ == "__main__":
    main()
