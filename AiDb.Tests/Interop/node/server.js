'use strict';

// usage: node server.js PROTO - serves the interoperability cases and prints "LISTENING port".
const { grpc, load } = require('./wire');

const { TestService } = load(process.argv[2]).grpc.testing;
const payload = (size) => ({ body: Buffer.alloc(size) });

function echoMetadata(call) {
  const headers = new grpc.Metadata();
  for (const value of call.metadata.get('x-grpc-test-echo-initial')) headers.add('x-grpc-test-echo-initial', value);
  call.sendMetadata(headers);
  const trailers = new grpc.Metadata();
  for (const value of call.metadata.get('x-grpc-test-echo-trailing-bin')) trailers.add('x-grpc-test-echo-trailing-bin', value);
  return trailers;
}

function unaryCall(call, answer) {
  const trailers = echoMetadata(call);
  const { responseStatus, responseSize } = call.request;
  if (responseStatus && responseStatus.code) {
    answer({ code: responseStatus.code, details: responseStatus.message, metadata: trailers });
  } else {
    answer(null, { payload: payload(responseSize) }, trailers);
  }
}

function streamingInputCall(call, answer) {
  let aggregatedPayloadSize = 0;
  call.on('data', (message) => { aggregatedPayloadSize += message.payload.body.length; });
  call.on('end', () => answer(null, { aggregatedPayloadSize }));
}

async function writeAll(call, request) {
  for (const { size, intervalUs } of request.responseParameters) {
    if (intervalUs) await new Promise((resolve) => setTimeout(resolve, intervalUs / 1000));
    if (call.cancelled) return;
    call.write({ payload: payload(size) });
  }
}

async function streamingOutputCall(call) {
  await writeAll(call, call.request);
  call.end();
}

function fullDuplexCall(call) {
  const trailers = echoMetadata(call);
  let failed = false;
  let written = Promise.resolve();
  call.on('data', (request) => {
    if (request.responseStatus && request.responseStatus.code) {
      failed = true;
      call.emit('error', { code: request.responseStatus.code, details: request.responseStatus.message });
    } else {
      written = written.then(() => writeAll(call, request));
    }
  });
  call.on('end', () => written.then(() => failed || call.end(trailers)));
}

const server = new grpc.Server();
server.addService(TestService.service, {
  emptyCall: (call, answer) => answer(null, {}),
  unaryCall,
  streamingInputCall,
  streamingOutputCall,
  fullDuplexCall,
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`LISTENING ${port}`);
});
