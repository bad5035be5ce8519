/** The virtual machine (tools/vm) is slow: what the machine at hand has shown already is not tried there again. */
export const IS_VIRTUAL = process.env['POPLIN_VIRTUAL'] === '1';
