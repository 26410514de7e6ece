// Reads the API of server.mjs with Ketting, and prints what it found as JSON.
import { Client } from 'ketting';

const client = new Client(process.argv[2]);

async function pages(rel, read) {
  const found = [];
  for (let resource = await client.follow(rel); ;) {
    const state = await resource.get();
    found.push(...await read(state));
    if (!state.links.has('next')) return found;
    resource = state.follow('next');
  }
}

const linked = (state) => Promise.all(state.followAll('item').map(async (item) => (await item.get()).data.name));
console.log(JSON.stringify({
  people: await pages('people', linked),
  mixed: await pages('mixed', linked),
  posts: await pages('posts', async (state) => state.data.map(({ name }) => name)),
  resources: await pages('resources', async (state) => state.data._items.map(({ name }) => name)),
}));
