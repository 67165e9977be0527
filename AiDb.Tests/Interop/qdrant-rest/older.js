// usage: node older.js URL APIKEY - the routes that clients up to 1.18 call.
import assert from 'node:assert';
import { QdrantClient } from 'qdrant-client-118';
import { best, cosine, data, fails, idsOf, near, norm, run } from './kit.js';

const [url, apiKey] = process.argv.slice(2);
const client = new QdrantClient({ url, apiKey });
const name = `older-${process.pid}`;
const target = data[16].vector;
const vector = { name: 'image', vector: target };
const params = { exact: true };
const limit = 10;
const nearest = (points, to = target) => best(points, (point) => cosine(point.vector, to), limit);

await run({
  async fill() {
    await client.recreateCollection(name, { vectors: { image: { size: 8, distance: 'Cosine' } }, sparse_vectors: { words: {} } });
    await client.upsert(name, {
      points: data.map((point, i) => ({
        ...point, vector: { image: point.vector, words: { indices: [i % 7], values: [i + 1] } },
      })),
    });
    await client.createPayloadIndex(name, { field_name: 'city', field_schema: 'keyword', wait: true });
    assert.strictEqual((await client.count(name)).count, data.length);
  },
  async search() {
    const found = await client.search(name, { vector, limit, params });
    assert.deepStrictEqual(idsOf(found), nearest(data));
    assert.strictEqual(found[0].payload.city, data[16].payload.city);
    const filtered = await client.search(name, {
      vector, limit, params, filter: { must: [{ key: 'city', match: { value: 'Paris' } }] }, with_payload: false, with_vector: true,
    });
    assert.deepStrictEqual(idsOf(filtered), nearest(data.filter((point) => point.payload.city === 'Paris')));
    assert.strictEqual(filtered[0].payload ?? null, null);
    norm(data[filtered[0].id - 1].vector).forEach((x, i) => near(filtered[0].vector.image[i], x, 1e-6));
    const words = await client.search(name, { vector: { name: 'words', vector: { indices: [3], values: [1] } }, limit: 2 });
    assert.deepStrictEqual(idsOf(words), [116, 109]);
    const threshold = await client.search(name, { vector, limit, params, score_threshold: 0.99999 });
    assert.deepStrictEqual(idsOf(threshold), [17]);
  },
  async search_batch() {
    const lists = await client.searchBatch(name, { searches: [{ vector, limit, params }, { vector, limit: 1, offset: 1, params }] });
    assert.deepStrictEqual(idsOf(lists[0]), nearest(data));
    assert.deepStrictEqual(idsOf(lists[1]), nearest(data).slice(1, 2));
  },
  async search_groups() {
    const { groups } = await client.searchPointGroups(name, { vector, group_by: 'city', group_size: 2, limit: 4, params });
    assert.strictEqual(groups.length, 4);
    for (const group of groups) {
      const own = data.filter((point) => point.payload.city === group.id);
      assert.deepStrictEqual(idsOf(group.hits), nearest(own).slice(0, 2));
    }
  },
  async recommend() {
    const others = data.filter((point) => ![3, 9].includes(point.id));
    const average = norm(data[2].vector).map((x, i) => 2 * x - norm(data[8].vector)[i]);
    const request = { positive: [3], negative: [9], using: 'image', limit, params };
    assert.deepStrictEqual(idsOf(await client.recommend(name, request)), nearest(others, average));
    const lists = await client.recommendBatch(name, { searches: [request, { ...request, strategy: 'best_score' }] });
    assert.deepStrictEqual(idsOf(lists[0]), nearest(others, average));
    assert.strictEqual(lists[1].length, limit);
    const { groups } = await client.recommendPointGroups(name, {
      positive: [3], negative: [9], using: 'image', group_by: 'city', group_size: 1, limit: 4, params,
    });
    assert.strictEqual(groups.length, 4);
  },
  async discover() {
    const inZone = ({ id }) => cosine(data[id - 1].vector, data[2].vector) > cosine(data[id - 1].vector, data[8].vector);
    const request = { target, context: [{ positive: 3, negative: 9 }], using: 'image', limit, params };
    assert.ok((await client.discoverPoints(name, request)).every(inZone));
    const { target: _, ...context } = request;
    const lists = await client.discoverBatchPoints(name, { searches: [request, context] });
    assert.strictEqual(lists.length, 2);
    assert.ok(lists.flat().every(inZone));
  },
  async bad_input() {
    await fails(400, /limit/, client.search(name, { vector, limit: 0 }));
    await fails(400, /other/, client.search(name, { vector: { name: 'other', vector: target }, limit }));
    await fails(404, /nothing/, client.search('nothing', { vector, limit }));
    await fails(400, /example/, client.recommend(name, { positive: [], using: 'image', limit }));
  },
  async delete() {
    assert.strictEqual(await client.deleteCollection(name), true);
  },
});
