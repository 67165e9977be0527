// usage: node current.js URL APIKEY - everything that Qdrant's current client offers.
import assert from 'node:assert';
import { QdrantClient } from '@qdrant/js-client-rest';
import { best, cosine, data, dot, fails, idsOf, near, norm, run } from './kit.js';

const [url, apiKey] = process.argv.slice(2);
const client = new QdrantClient({ url, apiKey, checkCompatibility: false });
const name = `current-${process.pid}`;
const named = `${name}-named`;
const target = data[16].vector;
const exact = { exact: true };

const raw = async (method, path, body) => {
  const response = await fetch(url + path, {
    method,
    headers: { 'api-key': apiKey, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return [response.status, await response.json()];
};

const count = async (filter) => (await client.count(name, { filter, exact: true })).count;
const expect = (predicate) => data.filter((point) => predicate(point.payload, point.id)).length;
const search = async (query, more = {}) =>
  (await client.query(name, { query, limit: 10, params: exact, ...more })).points;

const conditions = [
  [{ key: 'city', match: { value: 'Paris' } }, (p) => p.city === 'Paris'],
  [{ key: 'number', match: { value: 7 } }, (p) => p.number === 7],
  [{ key: 'sold', match: { value: true } }, (p) => p.sold],
  [{ key: 'tags', match: { value: 'odd' } }, (p) => p.tags.includes('odd')],
  [{ key: 'city', match: { any: ['Paris', 'Berlin'] } }, (p) => ['Paris', 'Berlin'].includes(p.city)],
  [{ key: 'city', match: { except: ['Paris', 'Berlin'] } }, (p) => !['Paris', 'Berlin'].includes(p.city)],
  [{ key: 'text', match: { text: 'fox green' } }, (p) => p.text.includes('green')],
  [{ key: 'text', match: { text_any: 'green number1' } }, (p) => p.text.includes('green') || p.number === 1],
  [{ key: 'text', match: { phrase: 'quick brown' } }, (p) => p.text.includes('quick brown')],
  [{ key: 'city', match: { prefix: 'Lon' } }, (p) => p.city === 'London'],
  [{ key: 'price', range: { gt: 3, lte: 10.5 } }, (p) => p.price > 3 && p.price <= 10.5],
  [{ key: 'at', range: { gte: '2024-02-01T00:00:00Z', lt: '2024-03-01' } }, (p) => p.at >= '2024-02-01' && p.at < '2024-03-01'],
  [
    { key: 'place', geo_bounding_box: { top_left: { lon: 12.995, lat: 52.505 }, bottom_right: { lon: 13.505, lat: 51.995 } } },
    (p) => p.place.lon < 13.505,
  ],
  [{ key: 'place', geo_radius: { center: { lon: 13, lat: 52 }, radius: 2000 } }, (p) => p.number < 2],
  [
    {
      key: 'place',
      geo_polygon: {
        exterior: { points: [[12.9, 51.9], [13.305, 51.9], [13.305, 53], [12.9, 53], [12.9, 51.9]].map(([lon, lat]) => ({ lon, lat })) },
      },
    },
    (p) => p.place.lon < 13.305,
  ],
  [{ key: 'tags', values_count: { gte: 2 } }, () => true],
  [{ key: 'optional', is_empty: true }, (p) => p.optional == null],
  [{ is_empty: { key: 'optional' } }, (p) => p.optional == null],
  [{ is_null: { key: 'optional' } }, (p) => p.optional === null],
  [{ has_id: [1, 2, 999] }, (p, id) => id <= 2],
  [{ has_vector: '' }, () => true],
  [{ key: 'parts[].count', match: { value: 3 } }, (p) => p.parts.some((part) => part.count === 3)],
  [
    { nested: { key: 'parts', filter: { must: [{ key: 'name', match: { value: 'wheel' } }, { key: 'count', match: { value: 2 } }] } } },
    (p) => p.parts.some((part) => part.name === 'wheel' && part.count === 2),
  ],
];

async function filtersHold() {
  for (const [condition, predicate] of conditions) {
    const where = JSON.stringify(condition);
    assert.strictEqual(await count({ must: [condition] }), expect(predicate), where);
    assert.strictEqual(await count({ must_not: [condition] }), data.length - expect(predicate), where);
  }
  const [paris, odd, sold] = [conditions[0][0], conditions[3][0], conditions[2][0]];
  assert.strictEqual(await count({ should: [paris, sold] }), expect((p) => p.city === 'Paris' || p.sold));
  assert.strictEqual(
    await count({ min_should: { conditions: [paris, odd, sold], min_count: 2 } }),
    expect((p) => [p.city === 'Paris', p.tags.includes('odd'), p.sold].filter(Boolean).length >= 2));
  assert.strictEqual(
    await count({ must: [{ should: [paris, odd] }], must_not: [sold] }),
    expect((p) => (p.city === 'Paris' || p.tags.includes('odd')) && !p.sold));
}

await run({
  async versions() {
    const version = await client.versionInfo();
    assert.match(version.version, /^1\.19\./);
    assert.strictEqual((await client.api().telemetry({})).data.status, 'ok');
    const [status, answer] = await raw('GET', '/cluster');
    assert.strictEqual(status, 200, JSON.stringify(answer));
  },
  async create() {
    assert.strictEqual(await client.createCollection(name, { vectors: { size: 8, distance: 'Cosine' } }), true);
    await fails(409, /already exists/, client.createCollection(name, { vectors: { size: 8, distance: 'Cosine' } }));
    assert.ok((await client.getCollections()).collections.some((collection) => collection.name === name));
    assert.deepStrictEqual(await client.collectionExists(name), { exists: true });
    assert.deepStrictEqual(await client.collectionExists('nothing'), { exists: false });
    const info = await client.getCollection(name);
    assert.strictEqual(info.config.params.vectors.size, 8);
    assert.strictEqual(info.config.params.vectors.distance, 'Cosine');
    assert.strictEqual(info.config.hnsw_config.m, 16);
    assert.strictEqual(info.points_count, 0);
    await fails(404, /nothing/, client.getCollection('nothing'));
  },
  async upsert_and_read() {
    const half = data.length / 2;
    const first = await client.upsert(name, { wait: true, points: data.slice(0, half) });
    assert.strictEqual(first.status, 'completed');
    const second = await client.upsert(name, {
      wait: false,
      batch: {
        ids: data.slice(half).map((point) => point.id),
        vectors: data.slice(half).map((point) => point.vector),
        payloads: data.slice(half).map((point) => point.payload),
      },
    });
    assert.strictEqual(second.status, 'acknowledged');
    assert.strictEqual(await count(), data.length);
    const points = await client.retrieve(name, { ids: [3, 100, 999, 1], with_vector: true });
    assert.deepStrictEqual(idsOf(points), [3, 100, 1]);
    assert.deepStrictEqual(points[1].payload, data[99].payload);
    norm(data[99].vector).forEach((x, i) => near(points[1].vector[i], x, 1e-6));
    const [one] = await client.retrieve(name, { ids: [5], with_payload: ['city', 'parts[].name'] });
    assert.deepStrictEqual(one.payload, { city: 'Berlin', parts: [{ name: 'wheel' }, { name: 'door' }] });
    const [other] = await client.retrieve(name, { ids: [5], with_payload: { exclude: ['text', 'parts', 'place', 'at', 'uuid', 'tags'] } });
    assert.deepStrictEqual(other.payload, { city: 'Berlin', number: 4, price: 1.5, sold: false, optional: null });
    const [status, answer] = await raw('GET', `/collections/${name}/points/7`);
    assert.strictEqual(status, 200);
    assert.strictEqual(answer.result.id, 7);
    assert.strictEqual((await raw('GET', `/collections/${name}/points/999`))[0], 404);
  },
  async scroll() {
    const seen = [];
    let offset;
    do {
      const page = await client.scroll(name, { limit: 50, offset, with_payload: false });
      seen.push(...idsOf(page.points));
      offset = page.next_page_offset;
    } while (offset != null);
    assert.deepStrictEqual(seen, data.map((point) => point.id));
    const some = await client.scroll(name, { filter: { must: [conditions[0][0]] }, limit: 3 });
    assert.deepStrictEqual(idsOf(some.points), [4, 8, 12]);
  },
  async filters_without_indexes() {
    // A phrase and any of several words need an index over text; they are asked for below.
    const indexed = conditions.splice(6, 3);
    try {
      await filtersHold();
    } finally {
      conditions.splice(6, 0, ...indexed);
    }
  },
  async indexes() {
    const kinds = {
      city: 'keyword', number: 'integer', price: 'float', sold: 'bool', at: 'datetime', place: 'geo', uuid: 'uuid', tags: 'keyword',
      'parts[].count': 'integer',
      text: { type: 'text', tokenizer: 'word', lowercase: true, phrase_matching: true },
    };
    for (const [field_name, field_schema] of Object.entries(kinds))
      await client.createPayloadIndex(name, { field_name, field_schema, wait: true });
    const { payload_schema } = await client.getCollection(name);
    for (const [field, kind] of Object.entries(kinds))
      assert.strictEqual(payload_schema[field].data_type, kind.type ?? kind, field);
    assert.strictEqual(payload_schema.city.points, data.length);
  },
  filters_with_indexes: filtersHold,
  async nearest() {
    const found = await search(target, { with_payload: true });
    assert.deepStrictEqual(idsOf(found), best(data, (point) => cosine(point.vector, target), 10));
    assert.strictEqual(found[0].id, 17);
    near(found[0].score, 1);
    assert.deepStrictEqual(found[0].payload, data[16].payload);
    assert.strictEqual(found[0].vector, undefined);
    const byId = await search(17);
    assert.deepStrictEqual(idsOf(byId), best(data.filter((point) => point.id !== 17), (point) => cosine(point.vector, target), 10));
    const paged = await search(target, { offset: 3, limit: 4 });
    assert.deepStrictEqual(idsOf(paged), idsOf(found).slice(3, 7));
    const threshold = found[4].score;
    assert.deepStrictEqual(idsOf(await search(target, { score_threshold: threshold - 1e-6 })), idsOf(found).slice(0, 5));
    const filtered = await search(target, { filter: { must: [conditions[0][0]] } });
    assert.deepStrictEqual(
      idsOf(filtered), best(data.filter((point) => point.payload.city === 'Paris'), (point) => cosine(point.vector, target), 10));
    const many = await client.queryBatch(name, { searches: [{ query: target, limit: 1 }, { query: 3, limit: 2, with_payload: true }] });
    assert.strictEqual(many.length, 2);
    assert.strictEqual(many[0].points[0].id, 17);
    assert.strictEqual(many[1].points.length, 2);
    assert.strictEqual((await search(target, { limit: 1_000_000 })).length, data.length);
    await fails(400, /limit/, search(target, { limit: 5_000_000 }));
  },
  async examples() {
    const positive = data[2].vector, negative = data[8].vector;
    // The average is taken of the vectors as they are stored: of length 1.
    const average = norm(positive).map((x, i) => 2 * x - norm(negative)[i]);
    const others = data.filter((point) => ![3, 9].includes(point.id));
    assert.deepStrictEqual(
      idsOf(await search({ recommend: { positive: [3], negative: [9] } })),
      best(others, (point) => cosine(point.vector, average), 10));
    const sums = await search({ recommend: { positive: [3, 4], negative: [9], strategy: 'sum_scores' } });
    const sum = (point) => cosine(point.vector, positive) + cosine(point.vector, data[3].vector) - cosine(point.vector, negative);
    assert.deepStrictEqual(idsOf(sums), best(data.filter((point) => ![3, 4, 9].includes(point.id)), sum, 10));
    assert.strictEqual((await search({ recommend: { positive: [3], strategy: 'best_score' } })).length, 10);
    const discovered = await search({ discover: { target, context: [{ positive: 3, negative: 9 }] } });
    const inZone = (point) => cosine(point.vector, positive) > cosine(point.vector, negative);
    assert.ok(discovered.every(({ id }) => inZone(data[id - 1])));
    const context = await search({ context: [{ positive: 3, negative: 9 }] });
    assert.ok(context.every(({ id }) => inZone(data[id - 1])));
  },
  async orders() {
    const byNumber = await search({ order_by: { key: 'number', direction: 'desc' } }, { with_payload: ['number'] });
    assert.deepStrictEqual(byNumber.map((point) => point.payload.number), [119, 118, 117, 116, 115, 114, 113, 112, 111, 110]);
    const page = await client.scroll(name, { order_by: { key: 'at', start_from: '2024-01-11T00:00:00Z' }, limit: 3 });
    assert.deepStrictEqual(idsOf(page.points), [11, 12, 13]);
    assert.ok(page.points[0].order_value > 0);
    const sample = await search({ sample: 'random' }, { limit: 40 });
    assert.strictEqual(new Set(idsOf(sample)).size, 40);
  },
  async fusion_and_prefetch() {
    const lists = [target, data[40].vector].map((vector) => best(data, (point) => cosine(point.vector, vector), 20));
    const prefetch = [target, data[40].vector].map((query) => ({ query, limit: 20, params: exact }));
    const ranks = (k, weights = [1, 1]) => (point) =>
      lists.reduce((sum, list, i) => sum + (list.includes(point.id) ? weights[i] / (k + list.indexOf(point.id)) : 0), 0);
    const candidates = data.filter((point) => lists.some((list) => list.includes(point.id)));
    const fused = await search({ fusion: 'rrf' }, { prefetch });
    fused.forEach((point) => near(point.score, ranks(2)(data[point.id - 1])));
    assert.deepStrictEqual(fused.map((point) => point.score), [...fused.map((point) => point.score)].sort((a, b) => b - a));
    assert.strictEqual(fused[0].id, best(candidates, ranks(2), 1)[0]);
    const weighted = await search({ rrf: { k: 60 } }, { prefetch });
    weighted.forEach((point) => near(point.score, ranks(60)(data[point.id - 1])));
    assert.strictEqual((await search({ fusion: 'dbsf' }, { prefetch })).length, 10);
    const nested = await search(data[40].vector, { prefetch: { prefetch: { query: target, limit: 30, params: exact }, query: 3, limit: 15 } });
    assert.ok(nested.every(({ id }) => best(data, (point) => cosine(point.vector, target), 30).includes(id)));
    const formula = await search(
      { formula: { sum: ['$score', { mult: [10, { key: 'city', match: { value: 'Paris' } }] }, { div: { left: 'number', right: 1000 } }] } },
      { prefetch: { query: target, limit: 120, params: exact } });
    const score = ({ vector, payload }) => cosine(vector, target) + (payload.city === 'Paris' ? 10 : 0) + payload.number / 1000;
    assert.deepStrictEqual(idsOf(formula), best(data, score, 10));
    near(formula[0].score, score(data[formula[0].id - 1]), 1e-3);
    const spread = await search({ nearest: target, mmr: { diversity: 0.9, candidates_limit: 60 } });
    assert.strictEqual(spread[0].id, 17);
    assert.strictEqual(spread.length, 10);
  },
  async text() {
    const found = await search({ bm25: { field: 'text', text: 'green number35' } }, { with_payload: ['text'] });
    assert.strictEqual(found[0].id, 36);
    assert.ok(found.every(({ payload }) => payload.text.includes('green')));
    const hybrid = await search(
      { fusion: 'rrf' }, { prefetch: [{ query: target, limit: 20 }, { query: { bm25: { field: 'text', text: 'number99' } }, limit: 20 }] });
    assert.ok(idsOf(hybrid).includes(100) && idsOf(hybrid).includes(17));
  },
  async groups_and_facets() {
    const { groups } = await client.queryGroups(name, {
      query: target, group_by: 'city', group_size: 2, limit: 3, with_payload: ['city'], params: exact,
    });
    assert.strictEqual(groups.length, 3);
    for (const group of groups) {
      const own = data.filter((point) => point.payload.city === group.id);
      assert.deepStrictEqual(idsOf(group.hits), best(own, (point) => cosine(point.vector, target), 2));
      assert.strictEqual(group.hits[0].payload.city, group.id);
    }
    const byNumber = await client.queryGroups(name, { query: target, group_by: 'number', group_size: 1, limit: 2, params: exact });
    assert.strictEqual(byNumber.groups[0].id, 16);
    const facet = await client.facet(name, { key: 'city', exact: true });
    assert.deepStrictEqual(facet.hits, ['Berlin', 'London', 'Moscow', 'Paris'].map((value) => ({ value, count: 30 })));
    const sold = await client.facet(name, { key: 'sold', filter: { must: [conditions[0][0]] } });
    assert.deepStrictEqual(
      Object.fromEntries(sold.hits.map(({ value, count: n }) => [value, n])),
      { true: expect((p) => p.sold && p.city === 'Paris'), false: expect((p) => !p.sold && p.city === 'Paris') });
  },
  async matrix() {
    const { pairs } = await client.searchMatrixPairs(name, { sample: 20, limit: 3 });
    assert.strictEqual(pairs.length, 60);
    pairs.forEach(({ a, b, score }) => near(score, cosine(data[a - 1].vector, data[b - 1].vector)));
    const offsets = await client.searchMatrixOffsets(name, { sample: 20, limit: 3 });
    assert.strictEqual(offsets.ids.length, 20);
    offsets.scores.forEach((score, i) => near(score, cosine(
      data[offsets.ids[offsets.offsets_row[i]] - 1].vector, data[offsets.ids[offsets.offsets_col[i]] - 1].vector)));
  },
  async named_sparse_and_multi_vectors() {
    await client.createCollection(named, {
      vectors: {
        image: { size: 8, distance: 'Dot' },
        far: { size: 2, distance: 'Euclid', datatype: 'float16' },
        walk: { size: 2, distance: 'Manhattan', datatype: 'uint8' },
        tokens: { size: 2, distance: 'Dot', multivector_config: { comparator: 'max_sim' } },
      },
      sparse_vectors: { words: {}, rare: { modifier: 'idf' } },
    });
    await client.upsert(named, {
      wait: true,
      points: data.slice(0, 20).map((point, i) => ({
        id: i % 2 ? `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` : i,
        vector: {
          image: point.vector, far: [i, 0], walk: [i, 2 * i], tokens: [[i, 0], [0, 1]],
          words: { indices: [i, 100], values: [1, i / 10] }, rare: { indices: [i % 2], values: [1] },
        },
        payload: { n: i },
      })),
    });
    const query = async (value, using, more = {}) => (await client.query(named, { query: value, using, limit: 3, params: exact, ...more })).points;
    const id = (i) => (i % 2 ? `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` : i);
    const [image] = await query(target, 'image');
    near(image.score, Math.max(...data.slice(0, 20).map((point) => dot(point.vector, target))));
    const far = await query([7, 0], 'far');
    assert.strictEqual(far[0].id, id(7));
    assert.deepStrictEqual(far.map((point) => point.score), [0, 1, 1]);
    assert.strictEqual((await query([7, 0], 'far', { score_threshold: 0.5 })).length, 1);
    const walk = await query([5, 10], 'walk');
    assert.deepStrictEqual(walk.map((point) => point.score), [0, 3, 3]);
    const tokens = await query([[1, 0], [0, 1]], 'tokens');
    assert.deepStrictEqual([tokens[0].id, tokens[0].score], [id(19), 20]);
    const words = await query({ indices: [100, 4], values: [1, 5] }, 'words');
    assert.strictEqual(words[0].id, 4);
    near(words[0].score, 5.4);
    assert.strictEqual((await query({ indices: [1], values: [1] }, 'rare', { limit: 20 })).length, 10);
    const [read] = await client.retrieve(named, { ids: [4], with_vector: ['words', 'tokens', 'walk'] });
    assert.deepStrictEqual(read.vector.words.indices, [4, 100]);
    near(read.vector.words.values[1], 0.4, 1e-6);
    assert.deepStrictEqual(read.vector.tokens, [[4, 0], [0, 1]]);
    assert.deepStrictEqual(read.vector.walk, [4, 8]);
    await client.deleteVectors(named, { points: [4], vector: ['far', 'words'] });
    const [left] = await client.retrieve(named, { ids: [4], with_vector: true });
    assert.deepStrictEqual(Object.keys(left.vector).sort(), ['image', 'rare', 'tokens', 'walk']);
    await client.updateVectors(named, { points: [{ id: 4, vector: { far: [1, 1] } }] });
    assert.strictEqual((await client.count(named, { filter: { must: [{ has_vector: 'far' }] } })).count, 20);
    assert.strictEqual((await client.count(named, { filter: { must: [{ has_vector: 'words' }] } })).count, 19);
    const lookup = await client.query(named, { query: 17, using: 'image', lookup_from: { collection: name, vector: '' }, limit: 1, params: exact });
    near(lookup.points[0].score, Math.max(...data.slice(0, 20).map((point) => dot(point.vector, norm(target)))));
  },
  async payloads() {
    await client.setPayload(name, { payload: { extra: { a: 1 } }, points: [1, 2] });
    await client.setPayload(name, { payload: { b: 2 }, points: [1], key: 'extra' });
    const read = async (id) => (await client.retrieve(name, { ids: [id] }))[0].payload;
    assert.deepStrictEqual((await read(1)).extra, { a: 1, b: 2 });
    await client.deletePayload(name, { keys: ['extra.a', 'text'], points: [1] });
    assert.deepStrictEqual((await read(1)).extra, { b: 2 });
    assert.strictEqual((await read(1)).text, undefined);
    await client.overwritePayload(name, { payload: { only: true }, filter: { must: [{ has_id: [1] }] } });
    assert.deepStrictEqual(await read(1), { only: true });
    await client.clearPayload(name, { points: [1] });
    assert.deepStrictEqual(await read(1), {});
    const results = await client.batchUpdate(name, {
      wait: true,
      operations: [
        { upsert: { points: [{ id: 1000, vector: target, payload: { a: 1 } }] } },
        { set_payload: { payload: { b: 2 }, points: [1000] } },
        { delete: { points: [2] } },
        { overwrite_payload: { payload: data[0].payload, points: [1] } },
      ],
    });
    assert.strictEqual(results.length, 4);
    assert.deepStrictEqual(await read(1000), { a: 1, b: 2 });
    assert.strictEqual(await count(), data.length);
    await client.delete(name, { wait: true, points: [1000] });
    await client.upsert(name, { wait: true, points: [data[1]] });
    assert.strictEqual(await count(), data.length);
  },
  async conditional_writes() {
    await client.upsert(name, { wait: true, points: [{ ...data[0], payload: { changed: true } }], update_mode: 'insert_only' });
    assert.deepStrictEqual((await client.retrieve(name, { ids: [1] }))[0].payload, data[0].payload);
    await client.upsert(name, { wait: true, points: [{ ...data[0], id: 2000 }], update_mode: 'update_only' });
    assert.strictEqual((await client.retrieve(name, { ids: [2000] })).length, 0);
  },
  async time_to_live() {
    await client.upsert(name, { wait: true, points: [{ id: 3000, vector: target, ttl: 0.05 }, { id: 3001, vector: target, ttl: 3600 }] });
    const gone = async () => (await client.retrieve(name, { ids: [3000, 3001] })).length === 1;
    const end = Date.now() + 30_000;
    while (!(await gone())) assert.ok(Date.now() < end, 'The point did not expire.');
    assert.deepStrictEqual(idsOf(await search(target, { limit: 2 })), [17, 3001]);
    await client.delete(name, { wait: true, points: [3001] });
  },
  async aliases() {
    const alias = `${name}-alias`;
    await client.updateCollectionAliases({ actions: [{ create_alias: { collection_name: name, alias_name: alias } }] });
    assert.deepStrictEqual((await client.getCollectionAliases(name)).aliases, [{ alias_name: alias, collection_name: name }]);
    assert.strictEqual((await client.count(alias, { exact: true })).count, data.length);
    await client.updateCollectionAliases({ actions: [{ rename_alias: { old_alias_name: alias, new_alias_name: `${alias}2` } }] });
    assert.ok((await client.getAliases()).aliases.some(({ alias_name }) => alias_name === `${alias}2`));
    await client.updateCollectionAliases({ actions: [{ delete_alias: { alias_name: `${alias}2` } }] });
    assert.deepStrictEqual((await client.getCollectionAliases(name)).aliases, []);
  },
  async settings() {
    await client.updateCollection(name, {
      hnsw_config: { ef_construct: 64 }, optimizers_config: { indexing_threshold: 1 }, metadata: { owner: 'ann' },
      quantization_config: { scalar: { type: 'int8', always_ram: true } },
    });
    const { config } = await client.getCollection(name);
    assert.strictEqual(config.hnsw_config.ef_construct, 64);
    assert.strictEqual(config.optimizer_config.indexing_threshold, 1);
    assert.strictEqual(config.quantization_config.scalar.type, 'int8');
    assert.strictEqual(config.metadata.owner, 'ann');
    await client.updateCollection(name, { quantization_config: 'Disabled' });
    assert.strictEqual((await client.getCollection(name)).config.quantization_config ?? null, null);
    const shards = await client.collectionClusterInfo(name);
    assert.strictEqual(shards.local_shards.length + shards.remote_shards.length, shards.shard_count);
  },
  async explain() {
    const [status, { result }] = await raw('POST', `/collections/${name}/points/query/explain`, {
      query: target, filter: { must: [{ key: 'unindexed', match: { value: 1 } }] },
    });
    assert.strictEqual(status, 200);
    assert.ok(result.steps.length > 0);
    assert.ok(result.warnings.some((warning) => warning.includes('unindexed')), JSON.stringify(result));
  },
  async snapshots() {
    const made = await client.createSnapshot(name);
    assert.match(made.name, /\.snapshot$/);
    assert.ok(made.size > 1000 && /^[0-9a-f]{64}$/.test(made.checksum));
    assert.deepStrictEqual((await client.listSnapshots(name)).map((snapshot) => snapshot.name), [made.name]);
    const before = await client.scroll(name, { limit: 500, with_vector: true });
    const file = await fetch(`${url}/collections/${name}/snapshots/${made.name}`, { headers: { 'api-key': apiKey } });
    const bytes = await file.arrayBuffer();
    assert.strictEqual(bytes.byteLength, made.size);
    // Under another name, and over what has changed since.
    const upload = async (collection, body, query = '') => {
      const form = new FormData();
      form.append('snapshot', new Blob([body]), 'books.snapshot');
      return fetch(`${url}/collections/${collection}/snapshots/upload${query}`, { method: 'POST', headers: { 'api-key': apiKey }, body: form });
    };
    const copy = `${name}-copy`;
    const uploaded = await upload(copy, bytes, `?priority=snapshot&checksum=${made.checksum}`);
    assert.strictEqual(uploaded.status, 200, await uploaded.text());
    const points = (await client.scroll(copy, { limit: 500, with_vector: true })).points;
    assert.deepStrictEqual(idsOf(points), idsOf(before.points));
    points.forEach((point, i) => {
      assert.deepStrictEqual(point.payload, before.points[i].payload);
      point.vector.forEach((x, j) => near(x, before.points[i].vector[j], 1e-6));
    });
    assert.strictEqual((await client.getCollection(copy)).payload_schema.city.data_type, 'keyword');
    await client.delete(copy, { wait: true, filter: { must: [{ key: 'number', range: { gte: 50 } }] } });
    for (const [body, query] of [[bytes.slice(0, bytes.byteLength - 5), ''], [bytes, `?checksum=${'0'.repeat(64)}`], ['tar', '']])
      assert.strictEqual((await upload(copy, body, query)).status, 400);
    assert.strictEqual((await client.count(copy)).count, 50, 'A bad snapshot changed something.');
    assert.strictEqual((await upload(copy, bytes)).status, 200);
    assert.strictEqual((await client.count(copy)).count, data.length);
    await client.deleteCollection(copy);
    await fails(400, /location/, client.recoverSnapshot(name, { location: 'file:///etc/passwd' }));
    assert.strictEqual(await client.deleteSnapshot(name, made.name), true);
    assert.deepStrictEqual(await client.listSnapshots(name), []);
    const full = await client.createFullSnapshot();
    assert.ok((await client.listFullSnapshots()).some((snapshot) => snapshot.name === full.name));
    assert.strictEqual(await client.deleteFullSnapshot(full.name), true);
  },
  async bad_input() {
    const before = await count();
    const write = (point) => client.upsert(name, { wait: true, points: [{ ...data[0], id: 5000 }, point] });
    await fails(400, /8/, write({ id: 5001, vector: [1, 2] }));
    await fails(400, /vector\[1\]/, write({ id: 5001, vector: [1, 1e39, 0, 0, 0, 0, 0, 0] }));
    await fails(400, /points\[1\]\.id/, write({ id: 'one', vector: target }));
    await fails(400, /points\[1\]\.id/, write({ id: 1.5, vector: target }));
    await fails(400, /other/, write({ id: 5001, vector: { other: target } }));
    assert.strictEqual(await count(), before, 'Something was half applied.');
    await fails(400, /2/, client.query(name, { query: [1, 2] }));
    await fails(400, /other/, client.query(name, { query: target, using: 'other' }));
    await fails(400, /filter\.must\[0\]/, client.query(name, { query: target, filter: { must: [{ key: 'a', mach: {} }] } }));
    await fails(400, /close/, client.count(name, {
      filter: { must: [{ key: 'place', geo_polygon: { exterior: { points: [0, 1, 2, 3].map((i) => ({ lon: i, lat: i * i })) } } }] },
    }));
    await fails(404, /nothing/, client.query('nothing', { query: target }));
    await fails(404, /999/, client.query(name, { query: 999 }));
    await fails(404, /nothing/, client.upsert('nothing', { points: [data[0]] }));
    await fails(400, /shard keys/, client.createShardKey(name, { shard_key: 'x' }));
    await fails(400, /size/, client.createCollection(`${name}-bad`, { vectors: { size: 0, distance: 'Dot' } }));
    await fails(400, /distance/, client.createCollection(`${name}-bad`, { vectors: { size: 1, distance: 'Near' } }));
    assert.deepStrictEqual(await client.collectionExists(`${name}-bad`), { exists: false });
    const text = 'x'.repeat(10 << 20);
    await client.upsert(name, { wait: true, points: [{ id: 6000, vector: target, payload: { text } }] });
    assert.strictEqual((await client.retrieve(name, { ids: [6000] }))[0].payload.text.length, text.length);
    await client.delete(name, { wait: true, points: [6000] });
  },
  async large_upsert() {
    const big = `${name}-big`;
    await client.createCollection(big, { vectors: { size: 256, distance: 'Cosine' } });
    const points = Array.from({ length: 3000 }, (_, i) => ({ id: i, vector: Array.from({ length: 256 }, (_x, j) => Math.sin(i * 7 + j)) }));
    await client.upsert(big, { wait: true, points });
    assert.strictEqual((await client.count(big, { exact: true })).count, 3000);
    const all = await client.scroll(big, { limit: 3000, with_vector: true });
    assert.strictEqual(all.points.length, 3000);
    await client.deleteCollection(big);
  },
  async deletes() {
    await client.deletePayloadIndex(name, 'city');
    assert.strictEqual((await client.getCollection(name)).payload_schema.city, undefined);
    await client.delete(name, { wait: true, filter: { must: [{ key: 'number', range: { gte: 100 } }] } });
    assert.strictEqual(await count(), 100);
    assert.strictEqual(await client.deleteCollection(name), true);
    assert.strictEqual(await client.deleteCollection(name), false);
    assert.strictEqual(await client.deleteCollection(named), true);
  },
});
