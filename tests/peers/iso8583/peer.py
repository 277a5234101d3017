"""A peer that knows ISO 8583 from elsewhere (pyiso8583), in both layouts: as a switch that asks, as a host that is asked, and as
the switch of a whole lab. Prints one line a test and at the end `N passed, M failed`.

    peer.py --ours PROGRAM --lab RAMZ      both sides of crates/link (its example), and a lab
    peer.py HOST:PORT [LAYOUT]             whatever listens there
"""

import socket
import sys
import traceback

from lab import LAB, Lab
from layouts import SPECS, Layout, Wire
from peers import PATIENCE, SWITCH, Ours, a_later_request_is_answered_before_an_earlier_one
from peers import a_link_signs_on_echoes_asks_and_comes_back


def run(layout, tests, subject):
    failed = 0
    for test in tests:
        try:
            test(subject)
            print("ok    ", layout.name, test.__name__, flush=True)
        except Exception:
            failed += 1
            print("FAILED", layout.name, test.__name__, flush=True)
            traceback.print_exc()
    return len(tests) - failed, failed


def connector(address, layout):
    host, port = address.rsplit(":", 1)
    return lambda: Wire(
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE), layout, PATIENCE
    )


def everything(program, ramz):
    for layout in map(Layout, SPECS):
        ours = Ours(program, layout)
        try:
            yield run(layout, [*SWITCH, a_later_request_is_answered_before_an_earlier_one], connector(ours.address, layout))
            yield run(layout, [a_link_signs_on_echoes_asks_and_comes_back], ours)
        finally:
            ours.process.kill()
        lab = Lab(ramz, layout)
        try:
            yield run(layout, LAB, lab)
        finally:
            lab.stop()


def main(arguments):
    if len(arguments) == 4 and (arguments[0], arguments[2]) == ("--ours", "--lab"):
        results = list(everything(arguments[1], arguments[3]))
    elif arguments and not arguments[0].startswith("-"):
        layout = Layout(arguments[1] if len(arguments) > 1 else "ascii")
        results = [run(layout, SWITCH, connector(arguments[0], layout))]
    else:
        sys.exit(__doc__)
    passed, failed = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
