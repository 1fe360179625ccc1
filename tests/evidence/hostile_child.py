"""A bounded child that misbehaves as its options say."""

import os
import socket
import sys
import time

from pointsman.evidence.bounded_child import Refused, answer


def misbehave(content, options):
    match options["do"]:
        case "echo":
            return content.decode()
        case "hang":
            while True:
                time.sleep(60)
        case "spin":
            while True:
                pass
        case "grow":
            held = []
            while True:
                held.append(bytes(1 << 24))
        case "spew":
            os.write(2, b"x" * 100_000)
            return "y" * (8 << 20)
        case "crash":
            os.abort()
        case "raise":
            raise KeyError("a bug")
        case "print":
            print("what a library prints")
            return "said"
        case "refuse":
            raise Refused("is not right", why="it is odd", next="send another")
        case "write":
            with open("/tmp/of-a-hostile-child", "wb") as file:
                file.write(b"x" * 10)
        case "connect":
            with socket.socket() as it:
                it.settimeout(5)
                it.connect(("127.0.0.1", options["port"]))
            return "connected"
        case "environment":
            return sorted(os.environ)
    return sys.argv


if __name__ == "__main__":
    answer(misbehave)
