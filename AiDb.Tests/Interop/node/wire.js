'use strict';

const assert = require('node:assert');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

/** Loads .proto files, with commas between; numbers of 64 bits come as strings, absent messages as null. */
function load(paths) {
  return grpc.loadPackageDefinition(
    protoLoader.loadSync(paths.split(','), { longs: String, enums: String, defaults: true, oneofs: true }));
}

/** One unary call as a promise of { response, headers, status }. */
function unary(client, method, request, metadata = new grpc.Metadata(), options = {}) {
  return new Promise((resolve, reject) => {
    const seen = {};
    const call = client[method](request, metadata, options, (error, response) =>
      error ? reject(error) : setImmediate(() => resolve({ response, ...seen })));
    call.on('metadata', (headers) => { seen.headers = headers; });
    call.on('status', (status) => { seen.status = status; });
  });
}

/** Waits for a promise that must fail with this gRPC status. */
async function failsWith(code, promise) {
  try {
    await promise;
  } catch (error) {
    assert.strictEqual(error.code, code, `${error.code} ${error.details}`);
    return error;
  }
  assert.fail(`the call should have ended with status ${code}`);
}

/** Everything that a readable call brings, as an array; rejects with its status. */
function collect(call) {
  return new Promise((resolve, reject) => {
    const messages = [];
    call.on('data', (message) => messages.push(message));
    call.on('error', reject);
    call.on('end', () => resolve(messages));
  });
}

/** Runs the cases one after the other and prints a line of JSON for each. */
async function run(cases) {
  for (const [name, body] of Object.entries(cases)) {
    let error = null;
    try {
      await body();
    } catch (caught) {
      error = String(caught && caught.stack || caught);
    }
    console.log(JSON.stringify({ case: name, error }));
  }
  process.exit(0);
}

module.exports = { assert, grpc, load, unary, failsWith, collect, run };
