// A workgroup has VECTORS invocations along the channels and ROW_LANES along the rows.
const ROW_LANES: u32 = WORKGROUP / VECTORS;
// Invocations that share one result before workgroup memory is used.
const SPAN: u32 = max(SUBGROUP, VECTORS);
const SPANS: u32 = WORKGROUP / SPAN;
