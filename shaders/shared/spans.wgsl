// VECTORS invocations lie side by side, ROW_LANES one behind the other.
const ROW_LANES: u32 = WORKGROUP / VECTORS;
// Invocations that have one result between them before workgroup memory is used.
const SPAN: u32 = max(SUBGROUP, VECTORS);
const SPANS: u32 = WORKGROUP / SPAN;
