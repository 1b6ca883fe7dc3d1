import type { Draft } from './pdf-file';
import { paper } from './sheet';

const sections = [
  ['03 30 00', 'CAST-IN-PLACE CONCRETE'], ['04 20 00', 'UNIT MASONRY'], ['05 12 00', 'STRUCTURAL STEEL FRAMING'], ['05 50 00', 'METAL FABRICATIONS'],
  ['06 10 00', 'ROUGH CARPENTRY'], ['07 21 00', 'THERMAL INSULATION'], ['07 54 23', 'THERMOPLASTIC MEMBRANE ROOFING'], ['07 92 00', 'JOINT SEALANTS'],
  ['08 11 13', 'HOLLOW METAL DOORS AND FRAMES'], ['08 71 00', 'DOOR HARDWARE'], ['08 80 00', 'GLAZING'], ['09 21 16', 'GYPSUM BOARD ASSEMBLIES'],
  ['09 51 13', 'ACOUSTICAL PANEL CEILINGS'], ['09 91 23', 'INTERIOR PAINTING'], ['21 13 13', 'WET-PIPE SPRINKLER SYSTEMS'], ['22 11 16', 'DOMESTIC WATER PIPING'],
  ['23 31 13', 'METAL DUCTS'], ['23 05 93', 'TESTING, ADJUSTING, AND BALANCING FOR HVAC'], ['26 05 19', 'LOW-VOLTAGE CONDUCTORS AND CABLES'], ['26 51 00', 'INTERIOR LIGHTING'],
  ['31 20 00', 'EARTH MOVING'], ['32 12 16', 'ASPHALT PAVING'], ['33 41 00', 'STORM UTILITY DRAINAGE PIPING'],
] as const;
const parts = [
  ['GENERAL', ['SUMMARY', 'REFERENCES', 'SUBMITTALS', 'QUALITY ASSURANCE', 'DELIVERY, STORAGE, AND HANDLING', 'WARRANTY']],
  ['PRODUCTS', ['MANUFACTURERS', 'PERFORMANCE REQUIREMENTS', 'MATERIALS', 'ACCESSORIES', 'FABRICATION']],
  ['EXECUTION', ['EXAMINATION', 'PREPARATION', 'INSTALLATION', 'FIELD QUALITY CONTROL', 'CLEANING AND PROTECTION']],
] as const;
const subjects = ['The Contractor', 'The installer', 'The manufacturer', 'Each assembly', 'Work of this Section', 'The testing agency'];
const duties = ['shall submit', 'shall verify', 'shall provide', 'shall coordinate', 'shall maintain', 'shall document', 'shall replace'];
const objects = ['product data and shop drawings', 'field dimensions before fabrication', 'units free of visible defects', 'anchors and fasteners of stainless steel', 'samples of each finish', 'certified test reports', 'work that does not comply'];
const conditions = ['before work starts', 'within 14 days of the Notice to Proceed', 'as indicated on the Drawings', 'in accordance with ASTM C920', 'where exposed to view', 'at no cost to the Owner', 'to the approval of the Architect'];

/** Writes a book of specifications of at least `pages` pages: whole sections, each starting a page, in the order of their numbers. */
export function writeSpecifications(draft: Draft, project: string, pages: number): void {
  const { pdf } = draft;
  let count = 0;
  let running = '';
  pdf.on('pageAdded', () => {
    count += 1;
    header(draft, project, running, count);
  });
  titlePage(draft, project);
  for (let index = 0; count < pages; index += 1) {
    const [number, title] = sections[index % sections.length] ?? sections[0];
    running = `${number} - ${title}`;
    draft.page(paper.letter, 72);
    pdf.font('Times-Bold').fontSize(12).text(`SECTION ${number}\n${title}`, { align: 'center' }).moveDown();
    writeSection(draft);
    pdf.font('Times-Bold').fontSize(10).moveDown().text(`END OF SECTION ${number}`, { align: 'center' });
  }
}

/** Writes an addendum of a few pages: numbered changes to drawings and specifications. */
export function writeAddendum(draft: Draft, project: string, number: number, items: number): void {
  const { pdf, random } = draft;
  draft.page(paper.letter, 72);
  pdf.font('Helvetica-Bold').fontSize(16).text(`ADDENDUM NO. ${number}`).fontSize(11).text(project).moveDown();
  pdf.font('Helvetica').fontSize(10);
  pdf.text('The following changes are part of the Bidding Documents. Acknowledge receipt on the Bid Form.').moveDown();
  for (let item = 1; item <= items; item += 1) {
    const [section, title] = random.pick(sections);
    const place = random.pick([`SECTION ${section}, ${title}`, `DRAWING ${random.pick(['A', 'S', 'M', 'E'])}-${random.int(101, 140)}`]);
    pdf.text(`${number}.${item}   ${place}: ${sentence(draft)} ${sentence(draft)}`).moveDown(0.6);
  }
}

/** Writes a report on the ground: text, then one page a boring with its log. */
export function writeGroundReport(draft: Draft, project: string, borings: number): void {
  const { pdf, random } = draft;
  draft.page(paper.letter, 72);
  pdf.font('Helvetica-Bold').fontSize(18).text('GEOTECHNICAL ENGINEERING REPORT').fontSize(12).text(project).moveDown();
  pdf.font('Helvetica').fontSize(10);
  for (let paragraph = 0; paragraph < 14; paragraph += 1) pdf.text(`${sentence(draft)} ${sentence(draft)} ${sentence(draft)}`).moveDown(0.5);
  for (let boring = 1; boring <= borings; boring += 1) {
    draft.page(paper.letter, 54);
    pdf.font('Helvetica-Bold').fontSize(12).text(`BORING LOG B-${boring}`, 54, 54).font('Courier').fontSize(9);
    let depth = 0;
    for (let y = 90; y < 700; ) {
      const thick = random.int(24, 90);
      const soil = random.pick(['FILL, brown silty sand', 'Soft gray CLAY', 'Dense fine SAND', 'GLACIAL TILL, very dense', 'Weathered SHALE']);
      pdf.rect(54, y, 120, thick).stroke();
      pdf.text(`${(depth / 10).toFixed(1)} ft   ${soil}   N=${random.int(2, 60)}`, 186, y + 2, { lineBreak: false });
      depth += thick;
      y += thick;
    }
  }
}

function titlePage(draft: Draft, project: string): void {
  draft.page(paper.letter, 72);
  draft.pdf.font('Times-Bold').fontSize(28).text('PROJECT MANUAL', 72, 220, { align: 'center' }).fontSize(18).text(project, { align: 'center' });
  draft.pdf.font('Times-Roman').fontSize(12).moveDown().text('Issued for Construction, March 2, 2026', { align: 'center' });
}

function writeSection(draft: Draft): void {
  const { pdf, random } = draft;
  parts.forEach(([part, articles], partIndex) => {
    pdf.font('Times-Bold').fontSize(10).text(`PART ${partIndex + 1} - ${part}`).moveDown(0.5);
    articles.forEach((article, articleIndex) => {
      pdf.font('Times-Bold').text(`${partIndex + 1}.${articleIndex + 1}   ${article}`).moveDown(0.3).font('Times-Roman');
      for (let item = 0; item < random.int(2, 6); item += 1) {
        pdf.text(`${String.fromCharCode(65 + item)}.   ${sentence(draft)} ${sentence(draft)}`, { indent: 18 }).moveDown(0.3);
      }
    });
  });
}

function sentence({ random }: Draft): string {
  return `${random.pick(subjects)} ${random.pick(duties)} ${random.pick(objects)} ${random.pick(conditions)}.`;
}

// Written when a page starts, in the middle of whatever text flows onto it: position and font are put back to the text's.
function header({ pdf }: Draft, project: string, running: string, page: number): void {
  pdf.font('Times-Italic').fontSize(8);
  pdf.text(project, 72, 40, { lineBreak: false }).text(`${running}   ${page}`, 330, 40, { lineBreak: false });
  pdf.font('Times-Roman').fontSize(10);
  pdf.x = 72;
  pdf.y = 72;
}
