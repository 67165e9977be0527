'use strict';

// What the scenarios share: short forms of messages, points whose answers can be computed, and a runner that prints one
// line of JSON per case.
const assert = require('node:assert');
const { QdrantClient } = require('@qdrant/js-client-grpc');

const num = (value) => ({ pointIdOptions: { case: 'num', value: BigInt(value) } });
const uuid = (value) => ({ pointIdOptions: { case: 'uuid', value } });
const idOf = (id) => (id.pointIdOptions.case === 'num' ? Number(id.pointIdOptions.value) : id.pointIdOptions.value);
const idsOf = (points) => points.map((point) => idOf(point.id));

const dense = (data) => ({ vector: { case: 'dense', value: { data } } });
const sparse = (indices, values) => ({ vector: { case: 'sparse', value: { indices, values } } });
const multi = (...vectors) => ({ vector: { case: 'multiDense', value: { vectors: vectors.map((data) => ({ data })) } } });
const unnamed = (vector) => ({ vectorsOptions: { case: 'vector', value: vector } });
const named = (vectors) => ({ vectorsOptions: { case: 'vectors', value: { vectors } } });

function value(json) {
  if (json === null) return { kind: { case: 'nullValue', value: 0 } };
  if (typeof json === 'string') return { kind: { case: 'stringValue', value: json } };
  if (typeof json === 'boolean') return { kind: { case: 'boolValue', value: json } };
  if (typeof json === 'bigint') return { kind: { case: 'integerValue', value: json } };
  if (typeof json === 'number') {
    return Number.isInteger(json)
      ? { kind: { case: 'integerValue', value: BigInt(json) } }
      : { kind: { case: 'doubleValue', value: json } };
  }
  if (Array.isArray(json)) return { kind: { case: 'listValue', value: { values: json.map(value) } } };
  return { kind: { case: 'structValue', value: { fields: payload(json) } } };
}

const payload = (object) => Object.fromEntries(Object.entries(object).map(([key, item]) => [key, value(item)]));

function plain({ kind }) {
  switch (kind.case) {
    case 'nullValue': return null;
    case 'integerValue': return Number(kind.value);
    case 'listValue': return kind.value.values.map(plain);
    case 'structValue': return object(kind.value.fields);
    default: return kind.value;
  }
}

const object = (fields) => Object.fromEntries(Object.entries(fields).map(([key, item]) => [key, plain(item)]));

const field = (key, condition) => ({ conditionOneOf: { case: 'field', value: { key, ...condition } } });
const match = (key, kind, item) => field(key, { match: { matchValue: { case: kind, value: item } } });
const must = (...conditions) => ({ must: conditions });

const nearest = (data) => ({ variant: { case: 'nearest', value: { variant: { case: 'dense', value: { data } } } } });
const byId = (id) => ({ variant: { case: 'id', value: num(id) } });
const byVector = (data) => ({ variant: { case: 'dense', value: { data } } });

// A small generator, so that every run has the same points.
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x100000000;
  };
}

const round = (x) => Math.fround(x);
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const norm = (a) => { const length = Math.sqrt(dot(a, a)); return a.map((x) => x / length); };
const cosine = (a, b) => dot(norm(a), norm(b));
const euclid = (a, b) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0));

// The ids of the best, as an exact search must find them.
const best = (points, score, limit, ascending = false) =>
  points
    .map((point) => [score(point), point.id])
    .sort((a, b) => (ascending ? a[0] - b[0] : b[0] - a[0]) || a[1] - b[1])
    .slice(0, limit)
    .map(([, id]) => id);

async function fails(code, wanted, call) {
  let error;
  try {
    await call;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, `expected the status ${code}, but the call succeeded`);
  assert.strictEqual(error.code, code, `${error.code}: ${error.rawMessage}`);
  assert.match(error.rawMessage, wanted);
}

async function run(cases) {
  for (const [name, work] of Object.entries(cases)) {
    let error = null;
    try {
      await work();
    } catch (caught) {
      error = caught.stack ?? String(caught);
    }
    console.log(JSON.stringify({ case: name, error }));
  }
  process.exit(0);
}

const connect = (url, apiKey) => {
  const client = new QdrantClient({ url, checkCompatibility: false, timeout: 60000, headers: { 'api-key': apiKey } });
  return {
    points: client.api('points'),
    collections: client.api('collections'),
    snapshots: client.api('snapshots'),
    service: client.api('service'),
  };
};

module.exports = {
  assert, num, uuid, idOf, idsOf, dense, sparse, multi, unnamed, named, value, payload, plain, object, field, match, must,
  nearest, byId, byVector, numbers, round, dot, norm, cosine, euclid, best, fails, run, connect,
};
