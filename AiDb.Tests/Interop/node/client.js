'use strict';

// usage: node client.js ADDRESS PROTO - gRPC's interoperability cases against a server.
const { assert, grpc, load, unary, failsWith, collect, run } = require('./wire');

const [address, proto] = process.argv.slice(2);
const { TestService, UnimplementedService } = load(proto).grpc.testing;
const insecure = grpc.credentials.createInsecure();
const GZIP = { 'grpc.default_compression_algorithm': 2 };
const client = new TestService(address, insecure);
const compressing = new TestService(address, insecure, GZIP);
const status = grpc.status;

const payload = (size) => ({ body: Buffer.alloc(size) });
const large = () => ({ responseSize: 314159, payload: payload(271828) });
const sizes = (messages) => messages.map((message) => message.payload.body.length);

async function stream(caller, messages) {
  return await new Promise((resolve, reject) => {
    const call = caller.streamingInputCall((error, response) => error ? reject(error) : resolve(response));
    messages.forEach((message) => call.write(message));
    call.end();
  });
}

function pingPong(requests) {
  return new Promise((resolve, reject) => {
    const call = client.fullDuplexCall();
    const received = [];
    const next = () => requests.length > received.length
      ? call.write({ responseParameters: [{ size: requests[received.length][1] }], payload: payload(requests[received.length][0]) })
      : call.end();
    call.on('data', (message) => { received.push(message.payload.body.length); next(); });
    call.on('error', reject);
    call.on('end', () => resolve(received));
    next();
  });
}

function metadata() {
  const sent = new grpc.Metadata();
  sent.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
  sent.set('x-grpc-test-echo-trailing-bin', Buffer.from([0xab, 0xab, 0xab]));
  return sent;
}

run({
  async empty_unary() {
    await unary(client, 'emptyCall', {});
  },
  async large_unary() {
    const { response } = await unary(client, 'unaryCall', large());
    assert.strictEqual(response.payload.body.length, 314159);
  },
  async client_streaming() {
    const { aggregatedPayloadSize } = await stream(
      client, [27182, 8, 1828, 45904].map((size) => ({ payload: payload(size) })));
    assert.strictEqual(aggregatedPayloadSize, 74922);
  },
  async server_streaming() {
    const wanted = [31415, 9, 2653, 58979];
    const messages = await collect(client.streamingOutputCall({ responseParameters: wanted.map((size) => ({ size })) }));
    assert.deepStrictEqual(sizes(messages), wanted);
  },
  async ping_pong() {
    const received = await pingPong([[27182, 31415], [8, 9], [1828, 2653], [45904, 58979]]);
    assert.deepStrictEqual(received, [31415, 9, 2653, 58979]);
  },
  async empty_stream() {
    assert.deepStrictEqual(await pingPong([]), []);
  },
  async custom_metadata() {
    const { headers, status: ended } = await unary(client, 'unaryCall', large(), metadata());
    assert.deepStrictEqual(headers.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
    assert.deepStrictEqual(ended.metadata.get('x-grpc-test-echo-trailing-bin'), [Buffer.from([0xab, 0xab, 0xab])]);
  },
  async status_code_and_message() {
    const responseStatus = { code: 2, message: 'test status message' };
    const error = await failsWith(2, unary(client, 'unaryCall', { responseStatus }));
    assert.strictEqual(error.details, responseStatus.message);
    const call = client.fullDuplexCall();
    call.write({ responseStatus });
    call.end();
    assert.strictEqual((await failsWith(2, collect(call))).details, responseStatus.message);
  },
  async special_status_message() {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
    const error = await failsWith(2, unary(client, 'unaryCall', { responseStatus: { code: 2, message } }));
    assert.strictEqual(error.details, message);
  },
  async unimplemented_method() {
    await failsWith(status.UNIMPLEMENTED, unary(client, 'unimplementedCall', {}));
  },
  async unimplemented_service() {
    const other = new UnimplementedService(address, insecure);
    await failsWith(status.UNIMPLEMENTED, unary(other, 'unimplementedCall', {}));
  },
  async cancel_after_begin() {
    await failsWith(status.CANCELLED, new Promise((resolve, reject) => {
      const call = client.streamingInputCall((error, response) => error ? reject(error) : resolve(response));
      call.write({ payload: payload(1) });
      setImmediate(() => call.cancel());
    }));
  },
  async cancel_after_first_response() {
    const call = client.fullDuplexCall();
    call.write({ responseParameters: [{ size: 31415 }], payload: payload(27182) });
    call.once('data', () => call.cancel());
    await failsWith(status.CANCELLED, collect(call));
  },
  async timeout_on_sleeping_server() {
    const call = client.streamingOutputCall(
      { responseParameters: [{ size: 1, intervalUs: 60000000 }] }, { deadline: Date.now() + 100 });
    await failsWith(status.DEADLINE_EXCEEDED, collect(call));
  },
  async client_compressed_unary() {
    const probe = { ...large(), expectCompressed: { value: true } };
    await failsWith(status.INVALID_ARGUMENT, unary(client, 'unaryCall', probe));
    await unary(compressing, 'unaryCall', probe);
    await unary(client, 'unaryCall', { ...large(), expectCompressed: { value: false } });
  },
  async server_compressed_unary() {
    for (const value of [true, false]) {
      const { response } = await unary(client, 'unaryCall', { ...large(), responseCompressed: { value } });
      assert.strictEqual(response.payload.body.length, 314159);
    }
  },
  async client_compressed_streaming() {
    const messages = [27182, 45904].map((size) => ({ payload: payload(size), expectCompressed: { value: true } }));
    await failsWith(status.INVALID_ARGUMENT, stream(client, messages));
    assert.strictEqual((await stream(compressing, messages)).aggregatedPayloadSize, 73086);
  },
  async server_compressed_streaming() {
    const responseParameters = [{ size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } }];
    assert.deepStrictEqual(sizes(await collect(client.streamingOutputCall({ responseParameters }))), [31415, 92653]);
  },
  async concurrent_large_unary() {
    const answers = await Promise.all(Array.from({ length: 1000 }, () => unary(client, 'unaryCall', large())));
    assert.ok(answers.every(({ response }) => response.payload.body.length === 314159));
  },
});
