// An API whose collections differ: links only, links with some copies, arrays with Link headers, items in the state.
// Prints its port once it listens.
import express from 'express';

const SIZE = 3;
const NAMES = ['Ada', 'Ben', 'Cleo', 'Dan', 'Eve', 'Fay', 'Gus'];
const people = NAMES.map((name, id) => ({ id, name }));

const app = express();
const hal = (response, document) => response.type('application/hal+json').send(JSON.stringify(document));
const person = ({ id, name }) => ({ id, name, _links: { self: { href: `/people/${id}` }, boss: { href: '/people/0' } } });
const cut = (request) => {
  const page = Number(request.query.page ?? 0);
  return { page, last: Math.ceil(people.length / SIZE) - 1, found: people.slice(page * SIZE, (page + 1) * SIZE) };
};
const between = ({ page, last }) => ({
  self: { href: `?page=${page}` },
  first: { href: '?page=0' },
  last: { href: `?page=${last}` },
  ...(page < last ? { next: { href: `?page=${page + 1}` } } : {}),
  ...(page > 0 ? { prev: { href: `?page=${page - 1}` } } : {}),
});

app.get('/', (_, response) => hal(response, {
  _links: Object.fromEntries(['people', 'mixed', 'posts', 'resources', 'nothing', 'page'].map((rel) => [rel, { href: `/${rel}` }])),
}));
app.get('/people', (request, response) => {
  const part = cut(request);
  hal(response, {
    total: people.length,
    _links: { ...between(part), item: part.found.map(({ id }) => ({ href: `/people/${id}` })) },
  });
});
app.get('/mixed', (request, response) => {
  const part = cut(request);
  hal(response, {
    total: people.length,
    _links: { ...between(part), item: part.found.map(({ id, name }) => ({ href: `/people/${id}`, title: name })) },
    _embedded: { item: part.found.filter(({ id }) => id % 2).reverse().map(person) },
  });
});
app.get('/people/:id', (request, response) => {
  const found = people[request.params.id];
  if (found) hal(response, person(found));
  else response.status(404).json({ message: 'no such person' });
});
app.get('/posts', (request, response) => {
  const { page, last, found } = cut(request);
  const links = [`<posts?page=${page}>; rel=self`, `<?page=${last}>; rel="last"`];
  if (page < last) links.push(`</posts?page=${page + 1}>; title="on, and on; up"; REL="next https://example.com/rels/more"`);
  if (page > 0) links.push(`</posts?page=${page - 1}>; rel=prev`);
  response.set('Link', [links.join(', '), '</people/1>; rel=author; anchor="/elsewhere"']).set('X-WP-Total', people.length);
  response.set('Deprecation', '@1688169599').set('Sunset', 'Sun, 30 Jun 2030 23:59:59 GMT').json(found.map(person));
});
app.get('/resources', (request, response) => {
  const part = cut(request);
  response.json({ _items: part.found.map(person), _meta: { total: people.length }, _links: between(part) });
});
app.get('/nothing', (_, response) => response.set('Link', '</people>; rel=people').status(204).end());
app.get('/page', (_, response) => response.send('<!DOCTYPE html><p>Hello'));

const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
