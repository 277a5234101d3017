// node-smpp as an operator, for our bank's bind: throttles first, and cuts the line once.
'use strict';
const smpp = require('smpp');
const { check, finish, ours } = require('./peer.js');

const bounds = [];
const seen = [];
const acknowledged = [];
const unbound = [];
const texted = [];
let submits = 0;

// A phone's text, in Persian digits. It is delivered again until it is taken.
function text(session) {
  const from = { source_addr_ton: 1, source_addr_npi: 1, source_addr: '989121234567', destination_addr: '30003303' };
  const words = { data_coding: 8, short_message: 'کارت ۰۰۱۶', user_message_reference: 77 };
  session.deliver_sm({ ...from, ...words }, (answer) => {
    texted.push(answer.command_status);
    if (answer.command_status !== 0) text(session);
  });
}

const receiptsTaken = () => acknowledged.filter((command) => command === 'deliver_sm_resp').length;
const pause = (ms) => new Promise((over) => setTimeout(over, ms));

const server = smpp.createServer((session) => {
  session.on('error', () => {});
  session.on('bind_transceiver', (pdu) => {
    bounds.push([pdu.system_id, pdu.password, pdu.interface_version]);
    session.send(pdu.response({ system_id: 'node' }));
    session.enquire_link({}, (answer) => acknowledged.push(answer.command));
    if (texted.length === 0) text(session);
  });
  session.on('submit_sm', (pdu) => {
    submits += 1;
    if (submits === 1) return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    if (submits === 2) return session.send(pdu.response({ command_status: smpp.ESME_RMSGQFUL }));
    seen.push(pdu);
    session.send(pdu.response({ message_id: `node-${submits}` }));
    const receipt = { esm_class: 4, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr,
      short_message: `id:node-${submits} sub:001 dlvrd:001 submit date:2311141101 done date:2311141101 stat:DELIVRD err:000 text:` };
    session.deliver_sm(receipt, (answer) => acknowledged.push(answer.command));
  });
  session.on('unbind', async (pdu) => {
    unbound.push(pdu.command);
    // The last receipt may have crossed it: its answer is on the way then.
    for (let looks = 0; looks < 100 && receiptsTaken() < seen.length; looks += 1) await pause(10);
    session.send(pdu.response());
    session.close();
  });
});

// The texts of consecutive parts, as node-smpp decodes them.
function texts() {
  const whole = [];
  for (const { short_message: { message, udh } } of seen) {
    if (!udh) whole.push({ parts: 1, text: message });
    else if (udh[0][4] === 1) whole.push({ parts: udh[0][3], text: message });
    else whole[whole.length - 1].text += message;
  }
  return whole;
}

server.listen(0, '127.0.0.1', async () => {
  const bank = ours('send', `127.0.0.1:${server.address().port}`);
  const [sent, asked] = [[], []];
  for (let line = await bank.line(); line !== null; line = await bank.line()) (line.asked ? asked : sent).push(line);
  check('a text is delivered again until it is taken', texted, [smpp.ESME_RX_T_APPN, 0]);
  check('and read', asked, [{ asked: '0016', from: '989121234567', reference: 77, to: '30003303' }]);
  check('it bound as SMPP 3.4', bounds, [['mellat', 's3cr3tpw', 0x34]]);
  const names = ['a Persian PIN', 'an English PIN', 'escapes at a part’s end', 'a pair at a part’s end'];
  names.forEach((name, at) => check(name, texts()[at], sent[at]));
  check('nothing else came', texts().length, sent.length);
  check('parts', sent.map(({ parts }) => parts), [2, 1, 3, 3]);
  const first = seen[0];
  check('addresses', [first.source_addr_ton, first.source_addr_npi, first.source_addr, first.dest_addr_ton, first.dest_addr_npi,
    first.destination_addr], [5, 0, 'Bank Mellat', 1, 1, '989121234567']);
  check('flags', [first.esm_class, first.registered_delivery, first.data_coding], [0x40, 1, 8]);
  const validity = seen.map(({ validity_period }) => (validity_period - new Date()) / 1000);
  check('validity of at most two minutes', validity.every((s) => s > 60 && s <= 120.5), true);
  check('an English text is in the default alphabet', seen[2].data_coding, 0);
  check('it answered every request', [receiptsTaken(), acknowledged.includes('enquire_link_resp')],
    [seen.length, true]);
  check('it unbound', unbound, ['unbind']);
  finish();
});
