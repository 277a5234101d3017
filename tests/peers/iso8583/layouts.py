"""The two layouts as pyiso8583 knows them: `ascii` is its default_ascii; `bcd` is written here, from the standard and not from
our files, so that both sides having the same mistake is unlikely."""

import copy

import iso8583
from iso8583.specs import default_ascii

# Fields of digits (ISO 8583:1987, 4.3), packed two to a byte.
DIGITS = [*range(3, 28), 32, 33, 53, *range(66, 91), 93, 99, 100]
# Read from the left, so an odd number of them is filled behind.
FROM_THE_LEFT = [2, 35, 36]
BYTES = [52, 64, 96, 128]


def packed():
    spec = copy.deepcopy(default_ascii)
    spec["t"].update(data_enc="b")
    spec["p"].update(data_enc="b")
    for field, how in spec.items():
        if how["len_type"]:
            # Two or three digits in one or two bytes.
            how.update(len_enc="bcd", len_type=(how["len_type"] + 1) // 2)
    for field in DIGITS:
        spec[str(field)].update(data_enc="b", len_count="nibbles", left_pad="0")
    for field in FROM_THE_LEFT:
        spec[str(field)].update(data_enc="b", len_count="nibbles", right_pad="F")
    for field in BYTES:
        spec[str(field)].update(data_enc="b", max_len=8)
    spec["1"].update(data_enc="b", max_len=8)
    spec["p"].update(max_len=8)
    spec["t"].update(max_len=2)
    spec["48"].update(data_enc="utf-8")
    return spec


SPECS = {"ascii": default_ascii, "bcd": packed()}


class Layout:
    """One layout: to bytes and back. What comes in must also encode back to the same bytes."""

    def __init__(self, name):
        self.name, self.spec = name, SPECS[name]

    def encode(self, message):
        return bytes(iso8583.encode(dict(message), self.spec)[0])

    def decode(self, content):
        message, _ = iso8583.decode(content, self.spec)
        # Track 2 in half-bytes has D where text has =; nobody here looks at it otherwise.
        again = self.encode(message)
        assert again == content, f"{self.name}: encodes back to other bytes"
        return message


class Wire:
    """A connection with two bytes of length before every message."""

    def __init__(self, sock, layout, patience):
        import socket

        sock.settimeout(patience)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.layout = sock, layout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send_bytes(self, *contents):
        self.sock.sendall(b"".join(len(content).to_bytes(2, "big") + content for content in contents))

    def send(self, *messages):
        """All in one write."""
        self.send_bytes(*map(self.layout.encode, messages))

    def receive(self):
        length = int.from_bytes(self.exactly(2), "big")
        return self.layout.decode(self.exactly(length))

    def ask(self, message):
        self.send(message)
        return self.receive()

    def exactly(self, count):
        content = b""
        while len(content) < count:
            more = self.sock.recv(count - len(content))
            assert more, f"the connection ended after {len(content)} of {count} bytes"
            content += more
        return content

    def ended(self):
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


def expect(message, **fields):
    for field, value in fields.items():
        field = field.lstrip("f")
        assert message.get(field) == value, f"field {field}: {message.get(field)!r}, expected {value!r}"


def network(kind, trace="000001"):
    return {"t": "0800", "7": "1124015509", "11": trace, "70": kind}
