// A HAL API made with halson and express, with relative links; prints its port once it listens.
import express from 'express';
import halson from 'halson';

const SIZE = 3;
const cars = new Map();
const add = (id) => cars.set(id, { id, plate: `AB-${cars.size}-CD` });
for (let n = 0; n < 7; n += 1) add(`v${n}`);

const car = (it) => halson({ ...it })
  .addLink('self', `/cars/${it.id}`)
  .addLink('trips', { href: `/cars/${it.id}/trips{?page,size}`, templated: true })
  .addLink('alias', { href: `/cars/${it.id}?as=a`, name: 'a' })
  .addLink('alias', { href: `/cars/${it.id}?as=b`, name: 'b', title: 'the other' });

const app = express();
app.use(express.json({ type: ['application/json', 'application/hal+json'] }));
const send = (response, document) => response.type('application/hal+json').send(JSON.stringify(document));

app.get('/', (_, response) => send(response, halson({ welcome: true })
  .addLink('self', '/')
  .addLink('curies', { name: 'ex', href: 'https://docs.example/rels/{rel}', templated: true })
  .addLink('ex:cars', { href: '/cars{?page}', templated: true })
  .addLink('car', { href: '/cars/{id}', templated: true })
  .addLink('old', { href: '/moved', deprecation: 'https://docs.example/old' })
  .addLink('favourite', '/cars/v0')
  .addEmbed('favourite', car(cars.get('v0')))
  .addEmbed('motto', halson({ text: 'no link leads here' }))));
app.get('/moved', (_, response) => response.redirect(307, '/deep/er/place'));
app.get('/deep/er/place', (_, response) => send(response, halson({ moved: true }).addLink('sibling', 'sibling')));
app.get('/deep/er/sibling', (_, response) => send(response, halson({ sibling: true })));

app.get('/cars', (request, response) => {
  const page = Number(request.query.page ?? 0);
  const last = Math.ceil(cars.size / SIZE) - 1;
  const document = halson({ total: cars.size })
    .addLink('self', `?page=${page}`).addLink('first', '?page=0').addLink('last', `?page=${last}`);
  if (page < last) document.addLink('next', `?page=${page + 1}`);
  if (page > 0) document.addLink('prev', `?page=${page - 1}`);
  [...cars.values()].slice(page * SIZE, (page + 1) * SIZE).forEach((it) => document.addEmbed('cars', car(it)));
  send(response, document);
});
app.post('/cars', (request, response) => {
  add(request.body.id);
  send(response.status(201).location(`cars/${request.body.id}`), car(cars.get(request.body.id)));
});
app.all('/cars/:id', (request, response, next) => {
  if (cars.has(request.params.id)) next();
  else response.status(404).json({ message: 'no such car' });
});
app.get('/cars/:id', (request, response) => send(response, car(cars.get(request.params.id))));
app.put('/cars/:id', (request, response) => {
  if (request.get('If-Match') === undefined) return response.status(428).json({ message: 'If-Match, please' });
  Object.assign(cars.get(request.params.id), request.body);
  return response.status(204).end();
});
app.patch('/cars/:id', (request, response) => {
  Object.assign(cars.get(request.params.id), request.body);
  response.status(202).location(request.originalUrl).end();
});
app.delete('/cars/:id', (request, response) => {
  cars.delete(request.params.id);
  response.status(204).end();
});
app.get('/cars/:id/trips', (request, response) => send(response,
  halson({ page: request.query.page ?? null, size: request.query.size ?? null })
    .addLink('self', request.originalUrl).addLink('up', '.')));

const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
