// usage: node langchain.js URL APIKEY - LangChain's vector store over Qdrant's client. Words become vectors by their
// letters, so that the same texts always have the same vectors.
import assert from 'node:assert';
import { Embeddings } from '@langchain/core/embeddings';
import { QdrantVectorStore } from '@langchain/qdrant';
import { run } from './kit.js';

const [url, apiKey] = process.argv.slice(2);
const collectionName = `langchain-${process.pid}`;

class Letters extends Embeddings {
  async embedDocuments(texts) {
    return texts.map((text) => {
      const vector = new Array(26).fill(0.01);
      for (const letter of text.toLowerCase()) {
        const index = letter.charCodeAt(0) - 97;
        if (index >= 0 && index < 26) vector[index] += 1;
      }
      return vector;
    });
  }

  async embedQuery(text) {
    return (await this.embedDocuments([text]))[0];
  }
}

const texts = ['bananas are yellow', 'the sky is blue', 'zebras have stripes', 'bananas are yellow fruits', 'the sea is blue, too'];
const metadatas = texts.map((_, index) => ({ index, kind: index % 2 ? 'odd' : 'even' }));
const embeddings = new Letters({});
let store;

await run({
  async fill() {
    store = await QdrantVectorStore.fromTexts(texts, metadatas, embeddings, { url, apiKey, collectionName });
    assert.strictEqual((await store.client.count(collectionName)).count, texts.length);
  },
  async similarity() {
    const found = await store.similaritySearchWithScore('yellow bananas', 2);
    assert.deepStrictEqual(found.map(([document]) => document.metadata.index).sort(), [0, 3]);
    assert.ok(found[0][1] >= found[1][1]);
    const [first] = await store.similaritySearch('zebras have stripes', 1);
    assert.strictEqual(first.pageContent, 'zebras have stripes');
    assert.deepStrictEqual(first.metadata, metadatas[2]);
  },
  async filter() {
    const filter = { must: [{ key: 'metadata.kind', match: { value: 'odd' } }] };
    const found = await store.similaritySearch('bananas are yellow', 5, filter);
    assert.deepStrictEqual(found.map((document) => document.metadata.index).sort(), [1, 3]);
    assert.strictEqual(found[0].metadata.index, 3);
  },
  async diverse() {
    const found = await store.maxMarginalRelevanceSearch('bananas are yellow', { k: 3, fetchK: 5, lambda: 0.9 });
    assert.strictEqual(found.length, 3);
    assert.strictEqual(found[0].metadata.index, 0);
    const retrieved = await store.asRetriever({ k: 1 }).invoke('the sky is blue');
    assert.strictEqual(retrieved[0].metadata.index, 1);
  },
  async existing_collection() {
    const again = await QdrantVectorStore.fromExistingCollection(embeddings, { url, apiKey, collectionName });
    await again.addDocuments([{ pageContent: 'quartz', metadata: { index: 9, kind: 'new' }, id: '00000000-0000-4000-8000-000000000009' }]);
    const [found] = await again.similaritySearch('quartz', 1);
    assert.strictEqual(found.id, '00000000-0000-4000-8000-000000000009');
  },
  async delete() {
    await store.delete({ ids: ['00000000-0000-4000-8000-000000000009'] });
    await store.delete({ filter: { must: [{ key: 'metadata.kind', match: { value: 'odd' } }] } });
    const left = await store.similaritySearch('anything', 10);
    assert.deepStrictEqual(left.map((document) => document.metadata.index).sort(), [0, 2, 4]);
    assert.strictEqual(await store.client.deleteCollection(collectionName), true);
  },
});
