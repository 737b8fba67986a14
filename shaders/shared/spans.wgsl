// A workgroup is VECTORS invocations wide and ROW_LANES high.
const ROW_LANES: u32 = WORKGROUP / VECTORS;
// Number of neighboring invocations with one partial sum before workgroup memory is used.
const SPAN: u32 = max(SUBGROUP, VECTORS);
const SPANS: u32 = WORKGROUP / SPAN;
