'use strict';

// usage: node queries.js URL APIKEY - every kind of query as Qdrant's own gRPC client asks it, against answers computed here.
const kit = require('./kit');
const { assert, num, idOf, idsOf, dense, unnamed, payload, object, match, must, byId, byVector } = kit;
const { connect, fails, run, cosine, dot, norm, best } = kit;

const [url, apiKey] = process.argv.slice(2);
const { points, collections } = connect(url, apiKey);
const invalid = 3;

const collectionName = `js-queries-${process.pid}`;
const random = kit.numbers(11);
const colors = ['red', 'green', 'blue', 'white', 'black'];
const data = Array.from({ length: 200 }, (_, i) => ({
  id: i + 1,
  vector: Array.from({ length: 8 }, () => kit.round(random() * 2 - 1)),
  payload: {
    color: colors[(i * 7) % 5], number: i, rank: (i * 37) % 200, weight: i / 8, even: i % 2 === 0,
    at: new Date(Date.UTC(2024, 0, 1 + i)).toISOString(), place: { lon: 13 + i / 100, lat: 52 },
  },
}));
const of = (id) => data[id - 1];
const target = data[41].vector;
const exact = { exact: true };
const ask = async (query, more = {}) =>
  (await points.query({ collectionName, query, limit: 10n, params: exact, ...more })).result;
const as = (kind, value) => ({ variant: { case: kind, value } });
const index = (fieldName, fieldType, fieldIndexParams) =>
  points.createFieldIndex({ collectionName, wait: true, fieldName, fieldType, fieldIndexParams });
const scores = (found, wanted) => found.forEach((point, i) => assert.ok(
  Math.abs(point.score - wanted[i]) < 1e-4, `${i}: ${point.score} is not ${wanted[i]}`));

run({
  async prepare() {
    await collections.create({ collectionName, vectorsConfig: { config: { case: 'params', value: { size: 8n, distance: 1 } } } });
    for (let at = 0; at < data.length; at += 50) {
      await points.upsert({
        collectionName, wait: true,
        points: data.slice(at, at + 50).map((point) => ({
          id: num(point.id), vectors: unnamed(dense(point.vector)), payload: payload(point.payload),
        })),
      });
    }
  },
  async indexes() {
    const { result } = await index('color', 0);
    assert.strictEqual(result.status, 2);
    await index('rank', 1, { indexParams: { case: 'integerIndexParams', value: { lookup: true, range: true } } });
    await index('weight', 2);
    await index('even', 5);
    await index('at', 6);
    await index('gone', 0);
    await points.deleteFieldIndex({ collectionName, wait: true, fieldName: 'gone' });
    await fails(invalid, /field_type|type/, points.createFieldIndex({ collectionName, wait: true, fieldName: 'color' }));
    const schema = (await collections.get({ collectionName })).result.payloadSchema;
    assert.deepStrictEqual(Object.keys(schema).sort(), ['at', 'color', 'even', 'rank', 'weight']);
    assert.strictEqual(Number(schema.color.points), data.length);
    assert.strictEqual(schema.rank.dataType, 2);
  },
  async recommend() {
    const [a, b, n] = [of(3).vector, of(9).vector, of(27).vector].map(norm);
    const average = a.map((x, i) => { const p = (x + b[i]) / 2; return p + p - n[i]; });
    const others = data.filter(({ id }) => ![3, 9, 27].includes(id));
    const ids = { positive: [byId(3), byId(9)], negative: [byId(27)] };
    const found = await ask(as('recommend', { ...ids, strategy: 0 }));
    assert.deepStrictEqual(idsOf(found), best(others, (p) => cosine(p.vector, average), 10));
    const sum = (p) => cosine(p.vector, a) + cosine(p.vector, b) - cosine(p.vector, n);
    assert.deepStrictEqual(idsOf(await ask(as('recommend', { ...ids, strategy: 2 }))), best(others, sum, 10));
    const sigmoid = (x) => 0.5 * (x / (1 + Math.abs(x)) + 1);
    const bestScore = (p) => {
      const [positive, negative] = [Math.max(cosine(p.vector, a), cosine(p.vector, b)), cosine(p.vector, n)];
      return positive > negative ? sigmoid(positive) : -sigmoid(negative);
    };
    assert.deepStrictEqual(idsOf(await ask(as('recommend', { ...ids, strategy: 1 }))), best(others, bestScore, 10));
  },
  async discover_and_context() {
    const pair = { positive: byId(5), negative: byId(60) };
    const rest = data.filter(({ id }) => ![5, 60, 42].includes(id));
    const inZone = (p) => cosine(p.vector, of(5).vector) > cosine(p.vector, of(60).vector);
    const found = await ask(as('discover', { target: byId(42), context: { pairs: [pair] } }));
    assert.deepStrictEqual(idsOf(found), best(rest.filter(inZone), (p) => cosine(p.vector, target), 10));
    const zone = await ask(as('context', { pairs: [pair] }), { limit: 20n });
    const inside = new Set(data.filter(inZone).map(({ id }) => id));
    assert.strictEqual(zone.length, 20);
    zone.forEach((point) => assert.ok(inside.has(idOf(point.id))));
  },
  async order_by() {
    const by = (key, direction) => as('orderBy', { key, direction });
    const rank = await ask(by('rank', 1), { withPayload: { selectorOptions: { case: 'enable', value: true } } });
    assert.deepStrictEqual(rank.map((p) => object(p.payload).rank), Array.from({ length: 10 }, (_, i) => 199 - i));
    const page = await points.scroll({
      collectionName, limit: 7, orderBy: { key: 'rank', direction: 0, startFrom: { value: { case: 'integer', value: 50n } } },
    });
    assert.deepStrictEqual(page.result.map((p) => object(p.payload).rank), [50, 51, 52, 53, 54, 55, 56]);
    assert.strictEqual(Number(page.result[0].orderValue.variant.value), 50);
    const late = await points.scroll({
      collectionName, limit: 3,
      orderBy: { key: 'at', direction: 1, startFrom: { value: { case: 'datetime', value: '2024-01-11T00:00:00Z' } } },
    });
    assert.deepStrictEqual(idsOf(late.result), [11, 10, 9]);
    await fails(invalid, /number/, ask(by('number', 0)));
  },
  async fusion() {
    const first = { query: kit.nearest(target), limit: 20n, params: exact };
    const second = { query: kit.nearest(of(100).vector), limit: 20n, params: exact };
    const lists = [target, of(100).vector].map((v) => best(data, (p) => cosine(p.vector, v), 20));
    const rrf = (k, weights) => {
      const sums = new Map();
      lists.forEach((list, at) => list.forEach((id, rank) =>
        sums.set(id, (sums.get(id) ?? 0) + 1 / ((rank + 1) / weights[at] + k - 1))));
      return [...sums].sort((x, y) => y[1] - x[1] || x[0] - y[0]).slice(0, 10);
    };
    for (const [query, wanted] of [
      [as('fusion', 0), rrf(2, [1, 1])],
      [as('rrf', { k: 60 }), rrf(60, [1, 1])],
      [as('rrf', { weights: [3, 1] }), rrf(2, [3, 1])],
    ]) {
      const found = await ask(query, { prefetch: [first, second] });
      scores(found, wanted.map(([, score]) => score));
    }
    const dbsf = new Map();
    for (const [list, vector] of [[lists[0], target], [lists[1], of(100).vector]]) {
      const values = list.map((id) => cosine(of(id).vector, vector));
      const mean = values.reduce((x, y) => x + y) / values.length;
      const sigma = Math.sqrt(values.reduce((x, y) => x + (y - mean) ** 2, 0) / (values.length - 1));
      list.forEach((id, i) => dbsf.set(id, (dbsf.get(id) ?? 0) + (values[i] - mean + 3 * sigma) / (6 * sigma)));
    }
    const found = await ask(as('fusion', 1), { prefetch: [first, second] });
    scores(found, [...dbsf.values()].sort((x, y) => y - x).slice(0, 10));
  },
  async prefetch_and_formula() {
    const prefetch = [{ query: kit.nearest(target), limit: 30n, params: exact, filter: must(match('even', 'boolean', true)) }];
    const candidates = best(data.filter((p) => p.payload.even), (p) => cosine(p.vector, target), 30).map(of);
    const again = await ask(kit.nearest(of(77).vector), { prefetch });
    assert.deepStrictEqual(idsOf(again), best(candidates, (p) => cosine(p.vector, of(77).vector), 10));
    const formula = as('formula', {
      expression: as('sum', {
        sum: [
          as('variable', '$score'),
          as('mult', { mult: [as('constant', 0.25), as('condition', match('color', 'keyword', 'red'))] }),
          as('mult', { mult: [as('constant', 0.01), as('variable', 'weight')] }),
        ],
      }),
    });
    const wanted = (p) => cosine(p.vector, target) + (p.payload.color === 'red' ? 0.25 : 0) + 0.01 * p.payload.weight;
    const scored = await ask(formula, { prefetch });
    assert.deepStrictEqual(idsOf(scored), best(candidates, wanted, 10));
    const decay = as('formula', {
      expression: as('expDecay', {
        x: as('geoDistance', { origin: { lon: 13.5, lat: 52 }, to: 'place' }), scale: 1000, midpoint: 0.5,
      }),
    });
    const near = await ask(decay, { prefetch, limit: 1n });
    const places = candidates.map((p) => [Math.abs(p.payload.place.lon - 13.5), p.id]).sort((x, y) => x[0] - y[0] || x[1] - y[1]);
    assert.strictEqual(idOf(near[0].id), places[0][1]);
  },
  async mmr_and_sample() {
    const mmr = await ask(as('nearestWithMmr', { nearest: byVector(target), mmr: { diversity: 0.5, candidatesLimit: 50 } }));
    const candidates = best(data, (p) => cosine(p.vector, target), 50);
    assert.strictEqual(new Set(idsOf(mmr)).size, 10);
    assert.strictEqual(idOf(mmr[0].id), 42);
    mmr.forEach((point) => assert.ok(candidates.includes(idOf(point.id))));
    assert.notDeepStrictEqual(idsOf(mmr), candidates.slice(0, 10));
    const sample = await ask(as('sample', 0), { limit: 50n, filter: must(match('color', 'keyword', 'blue')) });
    assert.strictEqual(new Set(idsOf(sample)).size, 40);
    sample.forEach((point) => assert.strictEqual(of(idOf(point.id)).payload.color, 'blue'));
  },
  async batch() {
    const { result } = await points.queryBatch({
      collectionName,
      queryPoints: [1, 2, 3].map((id) => ({ collectionName, query: as('nearest', byId(id)), limit: 3n, params: exact })),
    });
    result.forEach(({ result: found }, i) => assert.deepStrictEqual(
      idsOf(found), best(data.filter((p) => p.id !== i + 1), (p) => cosine(p.vector, of(i + 1).vector), 3)));
  },
  async groups() {
    const { groups } = (await points.queryGroups({
      collectionName, query: kit.nearest(target), groupBy: 'color', limit: 3n, groupSize: 2n, params: exact,
    })).result;
    const ranked = best(data, (p) => cosine(p.vector, target), data.length);
    const wanted = new Map();
    for (const id of ranked) {
      const { color } = of(id).payload;
      if (!wanted.has(color)) wanted.set(color, []);
      if (wanted.get(color).length < 2) wanted.get(color).push(id);
    }
    assert.deepStrictEqual(
      groups.map((group) => [group.id.kind.value, idsOf(group.hits)]), [...wanted].slice(0, 3));
  },
  async facets() {
    const hits = (await points.facet({ collectionName, key: 'color', exact: true })).hits;
    assert.deepStrictEqual(hits.map((hit) => [hit.value.variant.value, Number(hit.count)]), [...colors].sort().map((c) => [c, 40]));
    const some = (await points.facet({
      collectionName, key: 'color', limit: 2n,
      filter: { mustNot: [match('color', 'keyword', 'black')], must: [{ conditionOneOf: { case: 'field', value: { key: 'number', range: { lt: 23 } } } }] },
    })).hits;
    const counts = new Map();
    data.filter((p) => p.payload.number < 23 && p.payload.color !== 'black').forEach(({ payload: { color } }) => counts.set(color, (counts.get(color) ?? 0) + 1));
    assert.deepStrictEqual(
      some.map((hit) => [hit.value.variant.value, Number(hit.count)]),
      [...counts].sort((x, y) => y[1] - x[1] || (x[0] < y[0] ? -1 : 1)).slice(0, 2));
  },
  async matrices() {
    const request = { collectionName, sample: 50n, limit: 3n, filter: must(match('color', 'keyword', 'red')) };
    const { pairs } = (await points.searchMatrixPairs(request)).result;
    const red = data.filter((p) => p.payload.color === 'red');
    assert.strictEqual(pairs.length, red.length * 3);
    for (const { a, b, score } of pairs) {
      const others = red.filter((p) => p.id !== idOf(a));
      assert.ok(best(others, (p) => cosine(p.vector, of(idOf(a)).vector), 3).includes(idOf(b)));
      assert.ok(Math.abs(score - cosine(of(idOf(a)).vector, of(idOf(b)).vector)) < 1e-4);
    }
    const offsets = (await points.searchMatrixOffsets(request)).result;
    assert.strictEqual(offsets.ids.length, red.length);
    assert.strictEqual(offsets.offsetsRow.length, red.length * 3);
  },
  async older_calls() {
    const found = await points.search({ collectionName, vector: target, limit: 5n, params: exact });
    assert.deepStrictEqual(idsOf(found.result), best(data, (p) => cosine(p.vector, target), 5));
    const batch = await points.searchBatch({ collectionName, searchPoints: [{ collectionName, vector: target, limit: 2n, params: exact }] });
    assert.strictEqual(batch.result[0].result.length, 2);
    const grouped = await points.searchGroups({ collectionName, vector: target, limit: 2, groupSize: 1, groupBy: 'color', params: exact });
    assert.strictEqual(grouped.result.groups.length, 2);
    const recommended = await points.recommend({ collectionName, positive: [num(3)], limit: 4n, params: exact });
    assert.deepStrictEqual(
      idsOf(recommended.result), best(data.filter((p) => p.id !== 3), (p) => cosine(p.vector, of(3).vector), 4));
    const vectors = await points.recommend({ collectionName, positiveVectors: [{ data: of(3).vector }], limit: 1n, params: exact });
    assert.deepStrictEqual(idsOf(vectors.result), [3]);
    const recommendedBatch = await points.recommendBatch({ collectionName, recommendPoints: [{ collectionName, positive: [num(3)], limit: 4n }] });
    assert.strictEqual(recommendedBatch.result[0].result.length, 4);
    const recommendedGroups = await points.recommendGroups({ collectionName, positive: [num(3)], limit: 2, groupSize: 2, groupBy: 'color' });
    assert.strictEqual(recommendedGroups.result.groups.length, 2);
    const example = (id) => ({ example: { case: 'id', value: num(id) } });
    const discovered = await points.discover({
      collectionName, target: { target: { case: 'single', value: example(42) } },
      context: [{ positive: example(5), negative: example(60) }], limit: 5n, params: exact,
    });
    const inZone = (p) => cosine(p.vector, of(5).vector) > cosine(p.vector, of(60).vector);
    const rest = data.filter(({ id }) => ![5, 60, 42].includes(id));
    assert.deepStrictEqual(idsOf(discovered.result), best(rest.filter(inZone), (p) => cosine(p.vector, target), 5));
    const discoveredBatch = await points.discoverBatch({
      collectionName, discoverPoints: [{ collectionName, target: { target: { case: 'single', value: example(42) } }, limit: 2n }],
    });
    assert.strictEqual(discoveredBatch.result[0].result.length, 2);
  },
  async lookup_in_another_collection() {
    const other = `${collectionName}-other`;
    await collections.create({ collectionName: other, vectorsConfig: { config: { case: 'params', value: { size: 8n, distance: 3 } } } });
    await points.upsert({ collectionName: other, wait: true, points: [{ id: num(1), vectors: unnamed(dense(of(150).vector)) }] });
    const found = await ask(as('nearest', byId(1)), { lookupFrom: { collectionName: other }, limit: 3n });
    assert.deepStrictEqual(idsOf(found), best(data, (p) => dot(norm(p.vector), of(150).vector), 3));
    await collections.delete({ collectionName: other });
  },
  async clean_up() {
    assert.ok((await collections.delete({ collectionName })).result);
  },
});
