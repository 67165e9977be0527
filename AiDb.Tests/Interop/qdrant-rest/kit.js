// What the scenarios share: points whose answers can be computed, and a runner that prints one line of JSON per case.
import assert from 'node:assert';

// A small generator, so that every run has the same points.
export function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x100000000;
  };
}

const random = numbers(7);
const cities = ['Berlin', 'London', 'Moscow', 'Paris'];

export const data = Array.from({ length: 120 }, (_, i) => ({
  id: i + 1,
  vector: Array.from({ length: 8 }, () => Math.fround(random() * 2 - 1)),
  payload: {
    city: cities[i % cities.length],
    number: i,
    price: i / 4 + 0.5,
    sold: i % 3 === 0,
    tags: ['all', i % 2 ? 'odd' : 'even'],
    text: `the ${i % 5 ? 'quick brown' : 'slow green'} fox number${i}`,
    at: new Date(Date.UTC(2024, 0, 1 + i)).toISOString(),
    place: { lon: 13 + i / 100, lat: 52 + i / 100 },
    parts: [{ name: 'wheel', count: i % 4 }, { name: 'door', count: 2 }],
    uuid: `00000000-0000-4000-8000-${String(i % 10).padStart(12, '0')}`,
    ...(i % 10 ? { optional: i % 20 ? null : 'here' } : {}),
  },
}));

export const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
export const norm = (a) => { const length = Math.sqrt(dot(a, a)); return a.map((x) => x / length); };
export const cosine = (a, b) => dot(norm(a), norm(b));
export const idsOf = (points) => points.map((point) => point.id);

// The ids of the best, as an exact search must find them.
export const best = (points, score, limit, ascending = false) =>
  points
    .map((point) => [score(point), point.id])
    .sort((a, b) => (ascending ? a[0] - b[0] : b[0] - a[0]) || a[1] - b[1])
    .slice(0, limit)
    .map(([, id]) => id);

export const near = (actual, expected, tolerance = 1e-4) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);

// The call fails with this status and message.
export async function fails(status, wanted, call) {
  let error;
  try {
    await call;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, 'It did not fail.');
  assert.strictEqual(error.status, status, error.data?.status?.error ?? error.message);
  assert.match(error.data.status.error, wanted);
}

export async function until(what, holds) {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`It did not come to ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function run(cases) {
  for (const [name, body] of Object.entries(cases)) {
    let error = null;
    try {
      await body();
    } catch (caught) {
      error = `${caught.stack} ${caught.data ? JSON.stringify(caught.data) : ''}`;
    }
    console.log(JSON.stringify({ case: name, error }));
  }
  process.exit(0);
}
