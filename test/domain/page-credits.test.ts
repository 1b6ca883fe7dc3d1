import fc from 'fast-check';
import { addToTally, creditRule, emptyTally } from '../../src/domain/page-credits';
import type { DocumentPages, ResultUsage } from '../../src/domain/page-credits';

const noUsage: ResultUsage = {
  ...{ drawingPageCount: null, documentPageCount: null, successfulDrawingPageCount: null, successfulDocumentPageCount: null },
  ...{ drawingCreditsPerPage: null, documentCreditsPerPage: null, creditsDebited: null },
};
const rates = { drawingCreditsPerPage: 10, documentCreditsPerPage: 1 };
const plans = (successful: number | null, sheets = 0): DocumentPages => ({ successful, sheets, classification: 'plans' });
const specs = (successful: number | null, sheets = 0): DocumentPages => ({ successful, sheets, classification: 'specifications' });
const mixed = (successful: number | null, sheets = 0): DocumentPages => ({ successful, sheets, classification: 'mixed' });
const credits = (usage: Partial<ResultUsage>, documents: DocumentPages[]): (number | null)[] =>
  documents.map(creditRule({ ...noUsage, ...usage }, documents.reduce(addToTally, emptyTally)));

describe('creditRule', () => {
  test.each<[string, Partial<ResultUsage>, DocumentPages[], (number | null)[]]>([
    ['only drawings', { ...rates, successfulDrawingPageCount: 3, successfulDocumentPageCount: 0 }, [mixed(2), mixed(1)], [20, 10]],
    ['only document pages', { ...rates, drawingPageCount: 0, successfulDocumentPageCount: 3 }, [mixed(2), plans(1)], [2, 1]],
    ['one kind without a rate, but with credits', { drawingPageCount: 0, successfulDocumentPageCount: 4, creditsDebited: 8 }, [mixed(3), mixed(1)], [6, 2]],
    ['one kind without a rate or its pages, but with credits', { documentPageCount: 0, creditsDebited: 40 }, [mixed(3), mixed(1)], [30, 10]],
    ['one kind of unknown pages, with credits', { documentPageCount: 0, creditsDebited: 40 }, [mixed(3), mixed(null)], [null, null]],
    ['one kind without rate and credits', { drawingPageCount: 0, successfulDocumentPageCount: 4 }, [mixed(3)], [null]],
    ['both kinds at one rate', { drawingCreditsPerPage: 2, documentCreditsPerPage: 2, successfulDrawingPageCount: 1, successfulDocumentPageCount: 2 }, [mixed(3)], [6]],
    ['sheets that add up', { ...rates, successfulDrawingPageCount: 3, successfulDocumentPageCount: 4 }, [mixed(4, 2), specs(2), plans(1, 1)], [22, 2, 10]],
    ['sheets of failed pages, classifications that add up', { ...rates, successfulDrawingPageCount: 3, successfulDocumentPageCount: 4 }, [plans(3, 5), specs(4)], [30, 4]],
    ['neither adds up', { ...rates, successfulDrawingPageCount: 2, successfulDocumentPageCount: 5 }, [plans(3, 5), specs(4)], [null, null]],
    ['a mixed document between the others', { ...rates, successfulDrawingPageCount: 3, successfulDocumentPageCount: 5 }, [plans(3), specs(4), mixed(1)], [null, null, null]],
    ['a document whose pages are not known', { ...rates, successfulDrawingPageCount: 3, successfulDocumentPageCount: 4 }, [plans(3), specs(4), specs(null)], [null, null, null]],
    ['no usage at all', {}, [plans(3), plans(0)], [null, 0]],
    ['no page of either kind', { ...rates, successfulDrawingPageCount: 0, successfulDocumentPageCount: 0 }, [plans(0), plans(1)], [0, null]],
  ])('%s', (_, usage, documents, expected) => {
    expect(credits(usage, documents)).toEqual(expected);
  });

  test('credits that it tells always add up to what was debited', () => {
    const document = fc.record({ drawings: fc.nat(9), texts: fc.nat(9), extraSheets: fc.nat(2), classification: fc.constantFrom('plans', 'documents', 'mixed', null) });
    fc.assert(
      fc.property(fc.array(document, { minLength: 1, maxLength: 6 }), fc.nat(12), fc.nat(12), (truth, drawingCreditsPerPage, documentCreditsPerPage) => {
        const [drawings, texts] = [truth.reduce((sum, d) => sum + d.drawings, 0), truth.reduce((sum, d) => sum + d.texts, 0)];
        const usage = { drawingCreditsPerPage, documentCreditsPerPage, successfulDrawingPageCount: drawings, successfulDocumentPageCount: texts };
        const told = credits(usage, truth.map((d) => ({ successful: d.drawings + d.texts, sheets: d.drawings + d.extraSheets, classification: d.classification })));
        if (told.includes(null)) return;
        expect(told.reduce<number>((sum, each) => sum + each!, 0)).toBe(drawings * drawingCreditsPerPage + texts * documentCreditsPerPage);
      }),
    );
  });
});
