"""smpplib as a bank, against our SMSC: its own alphabet, its own cutting."""

import json
import os
import subprocess
import sys
import urllib.request

import smpplib.client
import smpplib.consts
import smpplib.gsm

PHONE = "989121234567"
failed = 0


def check(name, found, expected):
    global failed
    same = found == expected
    failed += not same
    print("ok" if same else "FAIL", "-", name)
    if not same:
        print(f"  found    {found!r}\n  expected {expected!r}")


smsc = subprocess.Popen([os.environ["SMPP_PEER"], "smsc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
where = json.loads(smsc.stdout.readline())
host, port = where["smpp"].split(":")


def shown():
    with urllib.request.urlopen(f"{where['http']}/handsets/{PHONE}/messages", timeout=10) as answer:
        return [message["text"] for message in json.load(answer)]


answers, receipts = [], []
client = smpplib.client.Client(host, int(port), timeout=10, allow_unknown_opt_params=True)
client.set_message_sent_handler(lambda pdu: answers.append(pdu.status))
client.set_message_received_handler(lambda pdu: receipts.append(pdu.short_message))
client.connect()
client.bind_transceiver(system_id="mellat", password="s3cr3tpw")
check("bound", client.state, smpplib.consts.SMPP_CLIENT_STATE_BOUND_TRX)

for name, text in [
    ("an English PIN", "Bank Mellat\nPurchase\nPIN: 0472013\n@pay.example #0472013"),
    ("a long text of the default alphabet", "@_$ " * 100),
    ("a Persian PIN", "بانک ملت\nخرید\nکتاب‌فروشی نمونه\nمبلغ:1,250,000 ریال\nرمز:0472013\nاعتبار:14:33:06\n@pay.example #0472013"),
]:
    parts, coding, flags = smpplib.gsm.make_parts(text)
    for part in parts:
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
            source_addr="Bank Mellat",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr=PHONE,
            short_message=part,
            data_coding=coding,
            esm_class=flags,
            registered_delivery=True,
        )
    wanted = len(answers) + len(parts)
    while len(answers) < wanted:
        client.read_once()
    check(name, shown()[-1], text)
while len(receipts) < len(answers):
    client.read_once()
check("every part was taken", set(answers), {0})
check("and has its receipt", all(b"stat:DELIVRD" in receipt for receipt in receipts), True)
client.unbind()
client.disconnect()
smsc.stdin.close()
smsc.wait(timeout=10)
sys.exit(1 if failed else 0)
