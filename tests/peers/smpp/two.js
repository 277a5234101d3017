// Two node-smpp operators, each a process of its own, for our bank's two binds: one is killed in the middle of a burst.
'use strict';
const { spawn } = require('node:child_process');
const readline = require('node:readline');
const { check, finish, ours } = require('./peer.js');

// An operator: says its port, then each text it took, and the id that its answer had.
function operator(name) {
  const smpp = require('smpp');
  let taken = 0;
  const server = smpp.createServer((session) => {
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => session.send(pdu.response({ system_id: name })));
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => { session.send(pdu.response()); session.close(); });
    session.on('submit_sm', (pdu) => {
      taken += 1;
      // The answer has the id in hexadecimal, the receipt in decimal: as some operators do. The second operator's receipts have
      // no words, only parameters.
      const number = (name === 'first' ? 0x10000 : 0x20000) + taken;
      const message_id = number.toString(16).toUpperCase();
      console.log(JSON.stringify({ took: pdu.short_message.message, message_id }));
      const receipt = { esm_class: 4, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr };
      const words = `id:${number} sub:001 dlvrd:001 submit date:2311141101 done date:2311141101 stat:DELIVRD err:000 text:`;
      setTimeout(() => {
        session.send(pdu.response({ message_id }));
        session.deliver_sm(name === 'first' ? { ...receipt, short_message: words }
          : { ...receipt, short_message: '', receipted_message_id: String(number), message_state: 2 });
      }, 5);
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
}

async function start(name) {
  const child = spawn(process.execPath, [__filename, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  const took = [];
  const port = await new Promise((resolve) => {
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line);
      if (said.port) resolve(said.port);
      else took.push(said);
    });
  });
  return { child, port, took };
}

async function main() {
  const [first, second] = [await start('first'), await start('second')];
  const bank = ours('burst', `127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`);
  const sent = [];
  const receipts = [];
  let before = 0;
  for (let line = await bank.line(); line !== null && !line.sent; line = await bank.line()) {
    if (line.receipt) receipts.push(line);
    else sent.push(line);
    if (sent.length === 100 && before === 0) {
      before = sent.length;
      first.child.kill('SIGKILL');
    }
  }
  check('every text has its answer', [sent.length, sent.filter(({ error }) => error).map(({ error }) => error)], [400, []]);
  const all = [...first.took, ...second.took].map(({ took }) => took);
  const texts = new Set(all);
  check('no text was lost', sent.filter(({ text }) => !texts.has(text)), []);
  const again = sent.filter(({ attempts }) => attempts > 1);
  const doubled = all.length - texts.size;
  check('only what was in doubt was sent again', [again.every(({ attempts }) => attempts === 2), doubled <= again.length, again.length <= 16],
    [true, true, true]);
  check('both took their share', [first.took.length > 0, second.took.length >= 300], [true, true]);
  // Every text of the second has its receipt; those of the first that had not come when it was killed never do.
  const wanted = second.took.map(({ message_id }) => String(parseInt(message_id, 16)));
  while (!wanted.every((id) => receipts.some(({ ids }) => ids.includes(id)))) receipts.push(await bank.line());
  check('receipts came, and say delivered', [receipts.every(({ receipt }) => receipt === 'delivered'), receipts.length >= wanted.length], [true, true]);
  bank.stop();
  second.child.kill();
  finish();
}

if (process.argv[2]) operator(process.argv[2]);
else main();
