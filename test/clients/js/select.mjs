import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answer, column, data, db } from './tarn.mjs'

test('select: all columns', async () => {
  const { data, count, status, statusText } = await answer(db.from('orchestral_sections').select())
  assert.deepEqual(data, [
    { id: 1, name: 'strings' },
    { id: 2, name: 'woodwinds' },
    { id: 3, name: 'percussion' },
  ])
  assert.deepEqual([count, status, statusText], [null, 200, 'OK'])
})

test('select: some columns, aliases and casts', async () => {
  assert.deepEqual(await data(db.from('orchestral_sections').select('label:name, key:id::text').eq('id', 1)), [
    { label: 'strings', key: '1' },
  ])
})

test('select: a computed column', async () => {
  assert.deepEqual(await data(db.from('cities').select('label').eq('id', 4)), [{ label: 'Lima #4' }])
})

test('select: JSON paths', async () => {
  assert.deepEqual(
    await data(
      db.from('users').select('name, address->city, code:address->>postcode, second:address->lines->1').order('id')
    ),
    [
      { name: 'Ines', city: 'Porto', code: '4000', second: '2 Esq.' },
      { name: 'Tomasz', city: 'Gdynia', code: '81300', second: null },
      { name: 'Aiko', city: null, code: null, second: null },
    ]
  )
})

test('embed: to-many', async () => {
  assert.deepEqual(await data(db.from('orchestral_sections').select(`name, instruments ( name )`).order('id')), [
    { name: 'strings', instruments: [{ name: 'violin' }, { name: 'viola' }, { name: 'cello' }] },
    { name: 'woodwinds', instruments: [{ name: 'oboe' }, { name: 'bassoon' }] },
    { name: 'percussion', instruments: [] },
  ])
})

test('embed: to-one, with all columns', async () => {
  assert.deepEqual(await data(db.from('instruments').select('name, orchestral_sections(*)').eq('id', 4)), [
    { name: 'oboe', orchestral_sections: { id: 2, name: 'woodwinds' } },
  ])
})

test('embed: relations and columns with spaces in their names', async () => {
  assert.deepEqual(
    await data(db.from('rehearsal rooms').select(`"door sign", "stored things" ( name )`).order('id')),
    [
      { 'door sign': 'Hall A', 'stored things': [{ name: 'grand piano' }] },
      { 'door sign': 'Attic', 'stored things': [{ name: 'dust, mostly' }] },
    ]
  )
})

test('embed: through a join table', async () => {
  assert.deepEqual(await data(db.from('users').select('name, teams ( name )').order('id')), [
    { name: 'Ines', teams: [{ name: 'Herons' }, { name: 'Otters' }] },
    { name: 'Tomasz', teams: [{ name: 'Otters' }] },
    { name: 'Aiko', teams: [{ name: 'Herons' }] },
  ])
})

test('embed: the same relation twice, by columns and by constraints', async () => {
  const want = [
    { content: 'olá 👋', from: { name: 'Ines' }, to: { name: 'Tomasz' } },
    { content: 'cześć', from: { name: 'Tomasz' }, to: { name: 'Ines' } },
    { content: 'moshi moshi', from: { name: 'Aiko' }, to: { name: 'Ines' } },
  ]
  for (const select of [
    'content, from:sender_id(name), to:receiver_id(name)',
    'content, from:users!messages_sender_id_fkey(name), to:users!messages_receiver_id_fkey(name)',
    'content, from:users!sender_id(name), to:users!receiver_id(name)',
  ]) {
    assert.deepEqual(await data(db.from('messages').select(select).order('id')), want)
  }
})

test('embed: nested, through a join table', async () => {
  assert.deepEqual(
    await data(
      db
        .from('games')
        .select('game_id:id, away_team:teams!games_away_team_fkey ( users ( id, name ) )')
        .order('id')
        .order('id', { referencedTable: 'away_team.users' })
    ),
    [
      { game_id: 1, away_team: { users: [{ id: 1, name: 'Ines' }, { id: 2, name: 'Tomasz' }] } },
      { game_id: 2, away_team: { users: [{ id: 1, name: 'Ines' }, { id: 3, name: 'Aiko' }] } },
    ]
  )
})

test('embed: a filter on the related rows leaves the others', async () => {
  assert.deepEqual(
    await data(
      db.from('instruments').select('name, orchestral_sections(name)').eq('orchestral_sections.name', 'strings').gt('id', 2)
    ),
    [
      { name: 'cello', orchestral_sections: { name: 'strings' } },
      { name: 'oboe', orchestral_sections: null },
      { name: 'bassoon', orchestral_sections: null },
    ]
  )
})

test('embed: inner joins', async () => {
  assert.deepEqual(
    await data(
      db.from('instruments').select('name, orchestral_sections!inner(name)').eq('orchestral_sections.name', 'woodwinds').limit(1)
    ),
    [{ name: 'oboe', orchestral_sections: { name: 'woodwinds' } }]
  )
  assert.deepEqual(
    await data(db.from('instruments').select('name, orchestral_sections!inner()').eq('orchestral_sections.name', 'woodwinds')),
    [{ name: 'oboe' }, { name: 'bassoon' }]
  )
  assert.deepEqual(
    await column('content', db.from('messages').select('content, users!messages_sender_id_fkey!inner(name)').eq('users.name', 'Aiko')),
    ['moshi moshi']
  )
})

test('embed: rows with and without related ones', async () => {
  const sections = () => db.from('orchestral_sections').select('name, instruments()')
  assert.deepEqual(await column('name', sections().is('instruments', null)), ['percussion'])
  assert.deepEqual(await column('name', sections().not('instruments', 'is', null).order('id')), ['strings', 'woodwinds'])
  assert.deepEqual(
    await column('name', sections().or('instruments.is.null,name.eq.strings').order('id')),
    ['strings', 'percussion']
  )
})

test('embed: counts and other aggregates', async () => {
  assert.deepEqual(await data(db.from('orchestral_sections').select('*, instruments(count)').order('id')), [
    { id: 1, name: 'strings', instruments: [{ count: 3 }] },
    { id: 2, name: 'woodwinds', instruments: [{ count: 2 }] },
    { id: 3, name: 'percussion', instruments: [{ count: 0 }] },
  ])
  assert.deepEqual(await data(db.from('cities').select('country_id, inhabitants.sum(), biggest:inhabitants.max()').order('country_id')), [
    { country_id: 1, sum: 1000000, biggest: 709000 },
    { country_id: 2, sum: 862000, biggest: 862000 },
    { country_id: 3, sum: 10179000, biggest: 9751000 },
  ])
})

test('embed: spreads', async () => {
  assert.deepEqual(await data(db.from('cities').select('name, ...countries(country:name)').in('id', [1, 3]).order('id')), [
    { name: 'Oslo', country: 'Norway' },
    { name: 'Kathmandu', country: 'Nepal' },
  ])
  assert.deepEqual(
    await data(
      db.from('countries').select('iso, ...cities(cities:name)').eq('id', 1).order('name', { referencedTable: 'cities' })
    ),
    [{ iso: 'NO', cities: ['Bergen', 'Oslo'] }]
  )
})

test('count: exact, planned, estimated', async () => {
  const exact = await answer(db.from('cities').select('name', { count: 'exact' }).limit(2))
  assert.deepEqual([exact.count, exact.data.length, exact.status, exact.statusText], [6, 2, 206, 'Partial Content'])
  for (const count of ['planned', 'estimated']) {
    const whole = await answer(db.from('cities').select('*', { count }))
    assert.deepEqual([whole.count, whole.data.length, whole.status], [6, 6, 200], count)
  }
})

test('count: head', async () => {
  const { count, data, status } = await answer(db.from('cities').select('*', { count: 'exact', head: true }).eq('country_id', 3))
  assert.deepEqual([count, data, status], [3, null, 200])
})
