// node-smpp as a bank, against our SMSC.
'use strict';
const smpp = require('smpp');
const { check, finish, ours } = require('./peer.js');

const PHONE = '989121234567';

async function main() {
  const smsc = ours('smsc');
  const { smpp: address, http } = await smsc.line();
  const connect = () => new Promise((resolve) => {
    const session = smpp.connect(`smpp://${address}`, () => resolve(session));
    session.on('error', () => {});
  });
  const ask = (session, command, fields) => new Promise((resolve) => session[command](fields, resolve));
  const shown = async () => (await (await fetch(`${http}/handsets/${PHONE}/messages`)).json()).map((m) => m.text);
  const bind = { system_id: 'mellat', password: 's3cr3tpw', interface_version: 0x34 };
  const to = { source_addr_ton: 5, source_addr: 'Bank Mellat', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: PHONE };

  const stranger = await connect();
  const refused = await ask(stranger, 'bind_transceiver', { ...bind, password: 'wrong' });
  check('a wrong password', refused.command_status, smpp.ESME_RINVPASWD);
  const early = await ask(stranger, 'submit_sm', { ...to, short_message: 'x' });
  check('a submit before the bind', early.command_status, smpp.ESME_RINVBNDSTS);
  stranger.close();

  const session = await connect();
  const bound = await ask(session, 'bind_transceiver', bind);
  check('bound', [bound.command_status, bound.system_id], [0, 'ramz-smsc']);
  const receipts = [];
  session.on('deliver_sm', (pdu) => {
    receipts.push(pdu);
    session.send(pdu.response());
  });

  const english = 'Hello @ £ _ [x] {€}';
  // Left to itself, node-smpp says IA5 (1) and writes GSM 03.38.
  const gsm = { data_coding: 0, short_message: english };
  const sent = await ask(session, 'submit_sm', { ...to, ...gsm, registered_delivery: 1 });
  check('a GSM 03.38 text is taken', [sent.command_status, sent.message_id.length > 0], [0, true]);
  check('and shown', await shown(), [english]);
  while (receipts.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const receipt = receipts.pop();
  check('its receipt names it', [receipt.esm_class & 4, receipt.receipted_message_id, receipt.message_state], [4, sent.message_id, 2]);
  check('in the words of the standard', /^id:\S+ .*stat:DELIVRD err:000/.test(receipt.short_message.message), true);

  const persian = 'رمز:0472013\nکتاب‌فروشی';
  await ask(session, 'submit_sm', { ...to, data_coding: 8, short_message: persian });
  check('a UCS-2 text', (await shown()).pop(), persian);

  const long = 'ی'.repeat(67) + 'ر'.repeat(67) + '.';
  const parts = [long.slice(0, 67), long.slice(67, 134), long.slice(134)];
  for (const index of [2, 0, 1]) {
    const udh = Buffer.from([5, 0, 3, 0x77, 3, index + 1]);
    await ask(session, 'submit_sm', { ...to, data_coding: 8, esm_class: 0x40, short_message: { udh, message: parts[index] } });
  }
  check('parts out of order', (await shown()).pop(), long);
  for (const index of [1, 0]) {
    const sar = { sar_msg_ref_num: 513, sar_total_segments: 2, sar_segment_seqnum: index + 1 };
    await ask(session, 'submit_sm', { ...to, data_coding: 8, short_message: parts[index], ...sar });
  }
  check('parts by SAR parameters', (await shown()).pop(), long.slice(0, 134));
  await ask(session, 'submit_sm', { ...to, data_coding: 8, message_payload: long });
  check('a text in message_payload', (await shown()).pop(), long);

  const late = await ask(session, 'submit_sm', { ...to, short_message: 'late', validity_period: '200101000000000+' });
  check('a text past its validity is taken and not shown', [late.command_status, (await shown()).pop()], [0, long]);
  const nobody = await ask(session, 'submit_sm', { ...to, destination_addr: '12', short_message: 'x' });
  check('no such phone', nobody.command_status, smpp.ESME_RINVDSTADR);
  check('enquire_link', (await ask(session, 'enquire_link', {})).command, 'enquire_link_resp');
  check('query_sm is not served', (await ask(session, 'query_sm', { message_id: '1' })).command, 'generic_nack');

  const text = { to: '30003303', text: 'سلام ۰۰۱۶' };
  const headers = { 'content-type': 'application/json' };
  const posted = await fetch(`${http}/handsets/${PHONE}/messages`, { method: 'POST', headers, body: JSON.stringify(text) });
  while (receipts.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const texted = receipts.pop();
  check('a text from a phone', [posted.status, texted.source_addr, texted.destination_addr, texted.short_message.message],
    [202, PHONE, '30003303', text.text]);
  check('unbind', (await ask(session, 'unbind', {})).command, 'unbind_resp');
  smsc.stop();
  finish();
}

main();
