import { nearNames } from '../../src/domain/near-names';

const names = ['Harbour Annex', 'Harbour Annex Phase 2', 'Town Hall', 'harbor annex'];

test.each([
  ['Harbor Annex', ['harbor annex', 'Harbour Annex', 'Harbour Annex Phase 2'].slice(0, 2)],
  ['HARBOUR ANNEX', ['Harbour Annex', 'Harbour Annex Phase 2', 'harbor annex']],
  ['Hospital', []],
])('names near "%s"', (wanted, expected) => {
  expect(nearNames(wanted, names)).toEqual(expected);
});

test('gives at most five', () => {
  expect(nearNames('Site 1', Array.from({ length: 50 }, (_, n) => `Site ${n}`))).toHaveLength(5);
});
