"""Both sides of our link against pyiso8583: as a switch that asks our listener, and as a host that our link asks."""

import socket
import subprocess

from layouts import Wire, expect, network

PATIENCE = 20  # seconds


def purchase(trace="000123", **more):
    return {
        "t": "0200",
        "2": "6104337000000016",
        "3": "000000",
        "4": "000001250000",
        "7": "1124015509",
        "11": trace,
        "12": "052509",
        "13": "1124",
        "14": "9912",
        "22": "812",
        "32": "581672061",
        "37": "000000" + trace,
        "41": "14033212",
        "42": "000000140332124",
        "48": "01003777",
        "49": "364",
        "52": "A5A5A5A5A5A5A5A5",
        **more,
    }


# The switch: asks a listener. `connect` opens a connection to it.


def sign_on_echo_and_sign_off_are_answered(connect):
    with connect() as wire:
        for kind in ("001", "301", "002"):
            expect(wire.ask(network(kind)), t="0810", f7="1124015509", f11="000001", f39="00", f70=kind)


def a_purchase_is_answered_to_whoever_asked(connect):
    with connect() as wire:
        answer = wire.ask(purchase())
        expect(answer, t="0210", f3="000000", f4="000001250000", f11="000123", f37="000000000123", f41="14033212")
        assert len(answer["39"]) == 2 and "52" not in answer


def requests_may_be_pipelined(connect):
    with connect() as wire:
        traces = [f"{trace:06}" for trace in range(200, 250)]
        wire.send(*map(purchase, traces))
        assert sorted(wire.receive()["11"] for _ in traces) == traces


def a_keep_alive_and_a_frame_in_single_bytes_are_taken(connect):
    with connect() as wire:
        echo = wire.layout.encode(network("301"))
        for byte in b"\0\0" + len(echo).to_bytes(2, "big") + echo:
            wire.sock.sendall(bytes([byte]))
        expect(wire.receive(), t="0810", f39="00")


def a_garbled_field_is_named(connect):
    with connect() as wire:
        content = wire.layout.encode(purchase())
        amount, garbled = {
            "ascii": (b"000001250000", b"00000125000x"),
            "bcd": (b"\0\0\1\x25\0\0", b"\0\0\1\x25\0\x0A"),
        }[wire.layout.name]
        assert amount in content
        wire.send_bytes(content.replace(amount, garbled, 1))
        expect(wire.receive(), t="0210", f11="000123", f39="30", f48="15014format_error:4")
        wire.send_bytes(content + b"more")
        expect(wire.receive(), t="0210", f11="000123", f39="30", f48="15012format_error")


def garbage_is_survived(connect):
    with connect() as wire:
        whole = wire.layout.encode(purchase())
        # Cut before the trace number: there is nobody to answer.
        cut = whole[: {"ascii": 40, "bcd": 20}[wire.layout.name]]
        wire.send_bytes(b"x", b"0200", b"\xff" * 8192, b"0200" + b"F" * 16, cut)
        wire.send(network("301"))
        expect(wire.receive(), t="0810", f39="00")


def too_long_a_frame_is_hung_up_on(connect):
    with connect() as wire:
        wire.sock.sendall((8193).to_bytes(2, "big"))
        assert wire.ended()


SWITCH = [
    sign_on_echo_and_sign_off_are_answered,
    a_purchase_is_answered_to_whoever_asked,
    requests_may_be_pipelined,
    a_keep_alive_and_a_frame_in_single_bytes_are_taken,
    a_garbled_field_is_named,
    garbage_is_survived,
    too_long_a_frame_is_hung_up_on,
]


def a_later_request_is_answered_before_an_earlier_one(connect):
    """Our example holds what terminal HELD asks, until terminal RELEASE asks."""
    with connect() as wire:
        wire.send(purchase("000501", **{"41": "HELD    "}))
        expect(wire.ask(purchase("000502")), t="0210", f11="000502", f39="00")
        expect(wire.ask(network("301", "000503")), t="0810", f11="000503", f39="00")
        wire.send(purchase("000504", **{"41": "RELEASE "}))
        assert sorted(wire.receive()["11"] for _ in range(2)) == ["000501", "000504"]


# The host: `ours` has connected to it and asks what it is told.


class Ours:
    """Our program in one layout, its link connected to us."""

    def __init__(self, path, layout):
        self.layout = layout
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.process = subprocess.Popen(
            [path, layout.name, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        first = self.process.stdout.readline().split()
        assert first[:1] == ["listening"], first
        self.address = first[1]

    def ask(self, *traces):
        """All of one line are asked at once."""
        self.process.stdin.write(" ".join(traces) + "\n")
        self.process.stdin.flush()

    def told(self):
        return self.process.stdout.readline().strip()

    def signed_on(self):
        wire = Wire(self.listener.accept()[0], self.layout, PATIENCE)
        request = wire.receive()
        expect(request, t="0800", f7="1124015509", f70="001")
        wire.send({**request, "t": "0810", "39": "00"})
        return wire


def next_purchase(wire):
    """The next purchase; echoes before it are answered."""
    while True:
        request = wire.receive()
        if request["t"] == "0200":
            return request
        expect(request, t="0800", f70="301")
        wire.send({**request, "t": "0810", "39": "00"})


def answer(trace, code):
    return {"t": "0210", "11": trace, "39": code, "41": "14033212"}


def a_link_signs_on_echoes_asks_and_comes_back(ours):
    with ours.signed_on() as wire:
        echo = wire.receive()
        expect(echo, t="0800", f70="301")
        wire.send({**echo, "t": "0810", "39": "00"})
        ours.ask("000007")
        request = next_purchase(wire)
        expect(request, f2="6104337000000016", f4="000001250000", f11="000007", f52="A5A5A5A5A5A5A5A5")
        wire.send(answer("000008", "00"), answer("000007", "55"))
        assert ours.told() == "55", "the answer of another trace number was taken"

        # Three at once, answered last first, and one of them twice.
        ours.ask("000021", "000022", "000023")
        asked = sorted(next_purchase(wire)["11"] for _ in range(3))
        assert asked == ["000021", "000022", "000023"], asked
        wire.send(answer("000023", "14"), answer("000023", "00"), answer("000022", "51"), answer("000021", "00"))
        assert ours.told() == "00 51 14", "answers are told apart by their trace number"

        wire.send(network("301", "000099"))
        while (reply := wire.receive())["t"] != "0810":
            wire.send({**reply, "t": "0810", "39": "00"})
        expect(reply, f11="000099", f39="00", f70="301")
        ours.ask("000009")
        next_purchase(wire)
    assert ours.told().startswith("sent, but the connection ended")
    with ours.signed_on() as wire:
        ours.ask("000010")
        wire.send(answer(next_purchase(wire)["11"], "00"))
        assert ours.told() == "00"
        ours.process.stdin.close()
        while (request := wire.receive())["70"] != "002":
            wire.send({**request, "t": "0810", "39": "00"})
        wire.send({**request, "t": "0810", "39": "00"})
        assert ours.process.wait(PATIENCE) == 0
