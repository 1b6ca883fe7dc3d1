/** The workflows of this product: what the bundle registers. */
export { batchWorkflow } from './batch';
export { jobWorkflow } from './job';
