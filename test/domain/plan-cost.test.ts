import { creditRange, tooExpensive } from '../../src/domain/plan-cost';

const rates = { drawingPage: 10, documentPage: 1 };
const cost = (pages: number, uncounted = 0) => ({ pages, uncounted, credits: creditRange(pages, rates) });

describe('creditRange', () => {
  test('goes from all pages at the lower rate to all at the higher one, whichever that is', () => {
    expect(creditRange(7, rates)).toEqual({ min: 7, max: 70 });
    expect(creditRange(7, { drawingPage: 1, documentPage: 3 })).toEqual({ min: 7, max: 21 });
  });
  test('is not known without pages or rates', () => {
    expect(creditRange(null, rates)).toBeNull();
    expect(creditRange(7, undefined)).toBeNull();
  });
});

describe('tooExpensive', () => {
  test('compares the most that the pages can cost', () => {
    expect(tooExpensive(cost(7), 70)).toBeNull();
    expect(tooExpensive(cost(7), 69)).toBe('7 pages can cost 7 to 70 credits, more than the 69 that maxCredits allows');
    expect(tooExpensive({ ...cost(1), credits: { min: 5, max: 5 } }, 4)).toBe('1 page can cost 5 credits, more than the 4 that maxCredits allows');
  });
  test('names documents that are not in it', () => {
    expect(tooExpensive(cost(7, 1), 1)).toMatch(/; 1 document whose pages cannot be counted would come on top$/);
    expect(tooExpensive(cost(7, 2), 1)).toMatch(/; 2 documents whose pages cannot be counted would come on top$/);
  });
  test('says nothing without a limit or an estimate', () => {
    expect(tooExpensive(cost(7), undefined)).toBeNull();
    expect(tooExpensive({ ...cost(7), credits: null }, 1)).toBeNull();
  });
});
