'use strict';

// usage: node keyvalue.js ADDRESS APIKEY PROTOS - AiDb's own services, as a client in Node sees them.
const { assert, grpc, load, unary, failsWith, collect, run } = require('./wire');

const [address, apiKey, protos] = process.argv.slice(2);
const { KeyValue, Admin } = load(protos).aidb.v1;
const insecure = grpc.credentials.createInsecure();
const limits = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const client = new KeyValue(address, insecure, limits);
const admin = new Admin(address, insecure);
const status = grpc.status;

const auth = new grpc.Metadata();
auth.set('api-key', apiKey);

const table = `node-${process.pid}`;
const bytes = (text) => Buffer.from(text, 'utf8');
const awkward = Buffer.concat([bytes('a/b%2F..\u{1f511}'), Buffer.from([0, 255, 0])]);
const call = async (method, request) => (await unary(client, method, { table, ...request }, auth)).response;
const manage = async (method, request) => (await unary(admin, method, request, auth)).response;
const put = (key, value, more = {}) => call('put', { key: bytes(key), value: bytes(value), ...more });
const scan = async (request) =>
  (await collect(client.scan({ table, ...request }, auth))).flatMap((page) => page.items.map((item) => item.key.toString()));

run({
  async put_and_get() {
    for (const value of [Buffer.alloc(0), Buffer.from([0, 1, 2, 255]), Buffer.alloc(3 << 20, 7)]) {
      const written = await call('put', { key: awkward, value });
      const read = await call('get', { key: awkward });
      assert.ok(read.found);
      assert.ok(read.value.equals(value));
      assert.strictEqual(read.version, written.version);
    }
    const head = await call('get', { key: awkward, head: true });
    assert.strictEqual(head.valueBytes, String(3 << 20));
    assert.strictEqual(head.value.length, 0);
  },
  async delete_and_absent() {
    await put('gone', 'soon');
    await call('delete', { key: bytes('gone') });
    assert.strictEqual((await call('get', { key: bytes('gone') })).found, false);
  },
  async unknown_table() {
    await failsWith(status.NOT_FOUND, unary(client, 'get', { table: 'never-written', key: bytes('k') }, auth));
  },
  async conditions() {
    const { version } = await put('once', '1', { condition: { kind: 'KIND_ABSENT' } });
    const error = await failsWith(
      status.FAILED_PRECONDITION, put('once', '2', { condition: { kind: 'KIND_ABSENT' } }));
    assert.strictEqual(error.metadata.get('aidb-error-bin').length, 1);
    await put('once', '3', { condition: { kind: 'KIND_VERSION_EQUALS', version } });
    await failsWith(
      status.FAILED_PRECONDITION, put('once', '4', { condition: { kind: 'KIND_VERSION_EQUALS', version } }));
    assert.strictEqual((await call('get', { key: bytes('once') })).value.toString(), '3');
  },
  async time_to_live() {
    await put('fleeting', 'x', { ttlMs: 3600000 });
    const { expiresAtMs } = await call('get', { key: bytes('fleeting') });
    assert.ok(Number(expiresAtMs) > Date.now());
  },
  async multi_get() {
    await put('m1', 'one');
    await put('m2', 'two');
    const { values } = await call('multiGet', { keys: ['m2', 'none', 'm1'].map(bytes) });
    assert.deepStrictEqual(values.map((value) => value.found && value.value.toString()), ['two', false, 'one']);
  },
  async scan_in_order() {
    const names = Array.from({ length: 250 }, (_, index) => `scan/${String(index).padStart(4, '0')}`);
    await Promise.all([...names].reverse().map((name) => put(name, name)));
    assert.deepStrictEqual(await scan({ prefix: bytes('scan/') }), names);
    assert.deepStrictEqual(await scan({ prefix: bytes('scan/'), reverse: true, limit: 3 }), names.slice(-3).reverse());
    assert.deepStrictEqual(
      await scan({ start: bytes('scan/0010'), end: bytes('scan/0013'), keysOnly: true }), names.slice(10, 13));
  },
  async batch() {
    const operation = (key, value) => ({ table, key: bytes(key), put: { value: bytes(value) } });
    await unary(client, 'batch', { operations: [operation('{a}/1', 'x'), operation('{a}/2', 'y')] }, auth);
    assert.strictEqual((await call('get', { key: bytes('{a}/2') })).value.toString(), 'y');
    const across = [operation('{a}/1', 'z'), operation('{b}/1', 'z')];
    await failsWith(status.INVALID_ARGUMENT, unary(client, 'batch', { operations: across }, auth));
    assert.strictEqual((await call('get', { key: bytes('{a}/1') })).value.toString(), 'x');
    const { response } = await unary(client, 'batch', { operations: across, atomic: false }, auth);
    assert.strictEqual(response.results.length, 2);
  },
  async pipeline() {
    const stream = client.pipeline(auth);
    const answers = new Map();
    const done = new Promise((resolve, reject) => {
      stream.on('data', ({ responses }) => {
        responses.forEach((response) => answers.set(Number(response.id), response));
        if (answers.size === 101) stream.end();
      });
      stream.on('error', reject);
      stream.on('end', resolve);
    });
    const request = (id) => ({ id, put: { table, key: bytes(`p${id}`), value: bytes(`v${id}`) } });
    for (let id = 1; id <= 100; id += 10) {
      stream.write({ requests: Array.from({ length: 10 }, (_, index) => request(id + index)) });
    }
    stream.write({ requests: [{ id: 1000, get: { table: 'never-written', key: bytes('k') } }] });
    await done;
    assert.strictEqual(answers.get(1000).error.kind, 2);
    assert.ok([...answers.values()].filter((answer) => answer.write).length === 100);
    assert.strictEqual((await call('get', { key: bytes('p77') })).value.toString(), 'v77');
  },
  async burst() {
    const keys = Array.from({ length: 1000 }, (_, index) => bytes(`burst${index}`));
    await Promise.all(keys.map((key) => call('put', { key, value: key })));
    const answers = await Promise.all(keys.map((key) => call('get', { key })));
    assert.ok(answers.every((answer, index) => answer.value.equals(keys[index])));
  },
  async limits() {
    await failsWith(status.INVALID_ARGUMENT, call('put', { key: Buffer.alloc(65537), value: bytes('x') }));
    await call('put', { key: Buffer.alloc(65536, 1), value: bytes('x') });
  },
  async deadline_and_cancel() {
    await failsWith(status.DEADLINE_EXCEEDED, unary(client, 'get', { table, key: bytes('m1') }, auth, { deadline: 1 }));
    const stream = client.scan({ table }, auth);
    const ended = collect(stream);
    stream.cancel();
    await failsWith(status.CANCELLED, ended);
    assert.ok((await call('get', { key: bytes('m1') })).found);
  },
  async api_key() {
    await failsWith(status.UNAUTHENTICATED, unary(client, 'get', { table, key: bytes('m1') }));
    const wrong = new grpc.Metadata();
    wrong.set('api-key', 'wrong');
    await failsWith(status.UNAUTHENTICATED, unary(admin, 'listTables', {}, wrong));
  },
  async tables() {
    const name = `${table}-made`;
    const made = await manage('createTable', { name, options: { partitioning: { kind: 'KIND_PREFIX_LENGTH', prefixLength: 4 } } });
    assert.strictEqual(made.name, name);
    await failsWith(status.ALREADY_EXISTS, manage('createTable', { name }));
    assert.strictEqual((await manage('getTable', { name })).options.partitioning.prefixLength, 4);
    assert.ok((await manage('listTables', {})).tables.some((each) => each.name === name));
    await manage('dropTable', { name });
    await failsWith(status.NOT_FOUND, manage('getTable', { name }));
  },
  async cluster() {
    assert.strictEqual((await manage('getCluster', {})).mode, 'standalone');
  },
});
