import assert from 'node:assert/strict'
import { test } from 'node:test'
import { column, data, db } from './tarn.mjs'

/** Checks which ids the rows have that a filter leaves. */
const keeps = (relation, filter, want) => async () => {
  assert.deepEqual(await column('id', filter(db.from(relation).select('id')).order('id')), want)
}

test('eq', keeps('countries', (q) => q.eq('name', 'Peru'), [3]))
test('eq: a boolean', keeps('countries', (q) => q.eq('landlocked', true), [2]))
test('eq: a JSON path', keeps('users', (q) => q.eq('address->postcode', 4000), [1]))
test('eq: a JSON path as text', keeps('users', (q) => q.eq('address->>city', 'Gdynia'), [2]))
test('eq: reserved characters', keeps('cities', (q) => q.eq('name', 'Machu Picchu (ruins), lower town'), [6]))
test('eq: an array', keeps('countries', (q) => q.eq('spoken', '{nepali}'), [2]))
test('neq', keeps('countries', (q) => q.neq('name', 'Peru'), [1, 2]))
test('gt', keeps('countries', (q) => q.gt('id', 2), [3, 4]))
test('gt: a reserved word', keeps('cities', (q) => q.gt('"order"', 2), [1, 6]))
test('gte', keeps('countries', (q) => q.gte('id', 2), [2, 3, 4]))
test('lt', keeps('countries', (q) => q.lt('id', 2), [1]))
test('lte', keeps('countries', (q) => q.lte('id', 2), [1, 2]))

test('like', keeps('cities', (q) => q.like('name', 'B%'), [2]))
test('like: case matters', keeps('cities', (q) => q.like('name', 'lima'), []))
test('likeAllOf', keeps('cities', (q) => q.likeAllOf('name', ['%a%', '%u%']), [3, 6]))
test('likeAnyOf', keeps('cities', (q) => q.likeAnyOf('name', ['Os%', '%co']), [1, 5]))
test('ilike', keeps('cities', (q) => q.ilike('name', '%LIM%'), [4]))
test('ilikeAllOf', keeps('cities', (q) => q.ilikeAllOf('name', ['%K%', '%M%']), [3]))
test('ilikeAnyOf', keeps('cities', (q) => q.ilikeAnyOf('name', ['OSLO', 'BERG%']), [1, 2]))
test('regexMatch', keeps('cities', (q) => q.regexMatch('name', '^[B-L]'), [2, 3, 4, 5]))
test('regexIMatch', keeps('cities', (q) => q.regexIMatch('name', '^(os|cu)'), [1, 5]))

test('is: null', keeps('countries', (q) => q.is('name', null), [4]))
test('is: true', keeps('countries', (q) => q.is('landlocked', true), [2]))
test('is: false', keeps('countries', (q) => q.is('landlocked', false), [1, 3]))
test('isDistinct', keeps('countries', (q) => q.isDistinct('name', 'Peru'), [1, 2, 4]))
test('isDistinct: null is a word like others', keeps('countries', (q) => q.isDistinct('name', null), [1, 2, 3, 4]))
test('in', keeps('countries', (q) => q.in('name', ['Peru', 'Nepal', 'Atlantis']), [2, 3]))
test('in: reserved characters', keeps('cities', (q) => q.in('name', ['Machu Picchu (ruins), lower town', 'Oslo']), [1, 6]))
test('in: nothing', keeps('countries', (q) => q.in('id', []), []))
test('in: an enumeration', keeps('users', (q) => q.in('presence', ['ONLINE']), [1, 3]))
test('notIn', keeps('countries', (q) => q.notIn('name', ['Peru', 'Nepal']), [1]))

test('contains: an array', keeps('issues', (q) => q.contains('tags', ['is:open', 'severity:low']), [2]))
test('contains: a range', keeps('reservations', (q) => q.contains('during', '[2031-05-04 09:30, 2031-05-04 10:00)'), [1]))
test('contains: an object', keeps('users', (q) => q.contains('address', { postcode: 81300 }), [2]))
test('contains: nested objects', keeps('countries', (q) => q.contains('facts', { currency: { code: 'NPR' } }), [2]))
test('containedBy: an array', keeps('countries', (q) => q.containedBy('spoken', ['nepali', 'sami', 'norwegian']), [1, 2, 4]))
test('containedBy: a range', keeps('reservations', (q) => q.containedBy('during', '[2031-05-05 00:00, 2031-05-06 00:00)'), [2]))
test('containedBy: an object', keeps('users', (q) => q.containedBy('address', {}), [3]))

test('rangeGt', keeps('reservations', (q) => q.rangeGt('during', '[2031-05-04 10:00, 2031-05-04 12:00)'), [2]))
test('rangeGte', keeps('reservations', (q) => q.rangeGte('during', '[2031-05-04 09:00, 2031-05-04 09:10)'), [1, 2]))
test('rangeLt', keeps('reservations', (q) => q.rangeLt('during', '[2031-05-04 11:00, 2031-05-04 12:00)'), [1]))
test('rangeLte', keeps('reservations', (q) => q.rangeLte('during', '[2031-05-04 08:00, 2031-05-05 15:30)'), [1, 2]))
test('rangeAdjacent', keeps('reservations', (q) => q.rangeAdjacent('during', '[2031-05-04 11:00, 2031-05-04 12:00)'), [1]))
test('rangeAdjacent: integers', keeps('users', (q) => q.rangeAdjacent('ages', '[35,40)'), [2, 3]))
test('overlaps: an array', keeps('issues', (q) => q.overlaps('tags', ['is:closed', 'severity:high']), [1, 3]))
test('overlaps: a range', keeps('users', (q) => q.overlaps('ages', '[28,41)'), [1, 2, 3]))

test('textSearch', keeps('texts', (q) => q.textSearch('words', `'otter' & 'sleep'`, { config: 'english' }), [1, 2]))
test('textSearch: a column of text', keeps('texts', (q) => q.textSearch('content', 'heron | loutres'), [3, 4]))
test('textSearch: plain', keeps('texts', (q) => q.textSearch('words', 'sleeping river', { type: 'plain', config: 'english' }), [1, 2]))
test('textSearch: phrase', keeps('texts', (q) => q.textSearch('words', 'otter sleeps', { type: 'phrase', config: 'english' }), [1]))
test('textSearch: websearch', keeps('texts', (q) => q.textSearch('words', 'otter -freeze or heron', { type: 'websearch', config: 'english' }), [1, 3]))
test('textSearch: another language', keeps('texts', (q) => q.textSearch('content', 'loutre', { config: 'french' }), [4]))

test('match', keeps('cities', (q) => q.match({ country_id: 3, name: 'Cusco' }), [5]))
test('not: is', keeps('countries', (q) => q.not('name', 'is', null), [1, 2, 3]))
test('not: in', keeps('countries', (q) => q.not('id', 'in', '(1,2)'), [3, 4]))
test('not: contains', keeps('issues', (q) => q.not('tags', 'cs', '{is:open}'), [3]))
test('or', keeps('countries', (q) => q.or('id.eq.2,name.eq.Peru'), [2, 3]))
test('or: with and', keeps('cities', (q) => q.or('id.gt.5,and(country_id.eq.1,name.eq.Oslo)'), [1, 6]))
test('or: with not and in', keeps('cities', (q) => q.or('id.in.(1,2),not.and(country_id.lt.3,inhabitants.not.is.null)'), [1, 2, 4, 5, 6]))
test('or: quoted values', keeps('cities', (q) => q.or('name.eq."Machu Picchu (ruins), lower town",name.ilike.os*'), [1, 6]))
test('or: operators with parameters', keeps('cities', (q) => q.or('name.like(any).{Li%,Cu%},name.match.^O'), [1, 4, 5]))
test('or: text search', keeps('texts', (q) => q.or('words.fts(english).herons,words.plfts(english).freezing'), [2, 3]))
test('or: JSON paths and arrays', keeps('users', (q) => q.or('address->>city.eq.Porto,address->postcode.gt.5000'), [1, 2]))
test('filter', keeps('countries', (q) => q.filter('name', 'in', '("Peru","Nepal")'), [2, 3]))
test('filter: not', keeps('countries', (q) => q.filter('name', 'not.eq', 'Peru'), [1, 2]))
test('filters add up', keeps('cities', (q) => q.gt('inhabitants', 300000).lt('inhabitants', 900000).neq('country_id', 3), [1, 3]))

test('or: on a referenced table', async () => {
  assert.deepEqual(
    await data(
      db
        .from('orchestral_sections')
        .select('name, instruments!inner ( name )')
        .or('section_id.eq.2,name.eq.cello', { referencedTable: 'instruments' })
        .order('id')
    ),
    [
      { name: 'strings', instruments: [{ name: 'cello' }] },
      { name: 'woodwinds', instruments: [{ name: 'oboe' }, { name: 'bassoon' }] },
    ]
  )
})

test('filter: on a referenced table', async () => {
  assert.deepEqual(
    await data(db.from('orchestral_sections').select('name, instruments!inner ( name )').filter('instruments.name', 'eq', 'oboe')),
    [{ name: 'woodwinds', instruments: [{ name: 'oboe' }] }]
  )
})

test('filter: on an alias of a referenced table', async () => {
  assert.deepEqual(
    await data(db.from('messages').select('content, from:sender_id!inner(name)').eq('from.name', 'Tomasz')),
    [{ content: 'cześć', from: { name: 'Tomasz' } }]
  )
})
