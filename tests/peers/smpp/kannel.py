"""Kannel (bearerbox with its SMPP client, and smsbox) as a bank, against our SMSC: binds, submits over HTTP, gets receipts."""

import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

PHONE = "989121234567"
DEADLINE = 30
failed = 0


def check(name, found, expected):
    global failed
    same = found == expected
    failed += not same
    print("ok" if same else "FAIL", "-", name)
    if not same:
        print(f"  found    {found!r}\n  expected {expected!r}")


def free_port():
    with socket.socket() as at:
        at.bind(("127.0.0.1", 0))
        return at.getsockname()[1]


def until(what, is_so):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.05)
    print(f"FAIL - in vain: {what}")
    return False


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


reports = []


class Reports(http.server.BaseHTTPRequestHandler):
    """Where smsbox tells of receipts."""

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        reports.append((query["text"][0], query["state"][0]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def programs(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


for program in ("bearerbox", "smsbox"):
    if programs(program) is None:
        print(f"FAIL - {program} is missing. Install it: apt-get install -y --no-install-recommends kannel")
        sys.exit(1)

smsc = subprocess.Popen([os.environ["SMPP_PEER"], "smsc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
where = json.loads(smsc.stdout.readline())
host, port = where["smpp"].split(":")
reporting = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reports)
threading.Thread(target=reporting.serve_forever, daemon=True).start()

folder = pathlib.Path(tempfile.mkdtemp(prefix="ramz-kannel-"))
admin, boxes, send = free_port(), free_port(), free_port()
(folder / "kannel.conf").write_text(f"""
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = admin
status-password = status
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
box-deny-ip = "*.*.*.*"
log-file = "{folder}/bearerbox.log"
log-level = 0
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = ramz
host = {host}
port = {port}
transceiver-mode = true
smsc-username = mellat
smsc-password = s3cr3tpw
system-type = ""
interface-version = 34
source-addr-ton = 5
source-addr-npi = 0
dest-addr-ton = 1
dest-addr-npi = 1
enquire-link-interval = 2
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {boxes}
sendsms-port = {send}
sendsms-interface = 127.0.0.1
log-file = "{folder}/smsbox.log"
log-level = 0
global-sender = "Bank Mellat"

group = sendsms-user
username = bank
password = bank
concatenation = true
max-messages = 5
""")


def start(program):
    out = open(folder / f"{program}.out", "wb")
    command = [programs(program), str(folder / "kannel.conf")]
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def shown():
    return [message["text"] for message in json.loads(get(f"{where['http']}/handsets/{PHONE}/messages"))]


def status():
    try:
        return get(f"http://127.0.0.1:{admin}/status.txt?password=status")
    except OSError:
        return ""


def sms(text, name, coding):
    report = f"http://127.0.0.1:{reporting.server_port}/?text={name}&state=%d"
    query = {"username": "bank", "password": "bank", "to": PHONE, "text": text, "charset": "UTF-8", "coding": coding,
             "dlr-mask": 3, "dlr-url": report}
    return get(f"http://127.0.0.1:{send}/cgi-bin/sendsms?{urllib.parse.urlencode(query)}")


boxes_running = []
try:
    boxes_running.append(start("bearerbox"))
    check("it binds", until("Kannel's bind is online", lambda: "(online" in status()), True)
    boxes_running.append(start("smsbox"))

    def listens():
        with socket.socket() as at:
            return at.connect_ex(("127.0.0.1", send)) == 0

    until("smsbox listens", listens)
    texts = {
        "english": ("Bank Mellat\nPurchase\nPIN: 0472013\n@pay.example #0472013", 0),
        "persian": ("بانک ملت\nخرید\nرمز:0472013\nاعتبار:14:33:06", 2),
        "long": ("ی" * 67 + "ر" * 67 + ".", 2),
    }
    for name, (text, coding) in texts.items():
        answer = sms(text, name, coding)
        check(f"{name}: Kannel takes it", answer.startswith("0: Accepted"), True)
        check(f"{name}: it is shown", until("the handset shows it", lambda: text in shown()), True)
        # 1: delivered to the phone.
        check(f"{name}: its receipt says delivered", until("the receipt came", lambda: (name, "1") in reports), True)
    check("nothing else was shown", len(shown()), len(texts))

    def log():
        return (folder / "bearerbox.log").read_text(errors="replace")

    check("enquire_link is answered", until("Kannel asks", lambda: "enquire_link_resp" in log()), True)
    check("Kannel found no fault with our PDUs", [line for line in log().splitlines() if "ERROR: SMPP" in line], [])
finally:
    for box in reversed(boxes_running):
        box.terminate()
    for box in boxes_running:
        try:
            box.wait(timeout=15)
        except subprocess.TimeoutExpired:
            box.kill()
    smsc.stdin.close()
    smsc.wait(timeout=10)
    if failed:
        for log in sorted(folder.glob("*.log")) + sorted(folder.glob("*.out")):
            lines = log.read_text(errors="replace").splitlines()
            told = [line for line in lines if any(word in line for word in ("ERROR", "WARNING", "PANIC"))]
            print(f"# {log.name}\n" + "\n".join(told[-20:]))
    shutil.rmtree(folder, ignore_errors=True)
sys.exit(1 if failed else 0)
