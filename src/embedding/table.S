/* The static embedding table (table/PROVENANCE.md), mapped with the program and read in place. */
    .section .rodata.aeterna_static_table, "a", @progbits
    .balign 64
    .globl aeterna_static_table
    .hidden aeterna_static_table
    .type aeterna_static_table, @object
aeterna_static_table:
    .incbin "embedding/table/minilm-static-256.bin"
    .globl aeterna_static_table_end
    .hidden aeterna_static_table_end
aeterna_static_table_end:
    .size aeterna_static_table, . - aeterna_static_table
    .section .note.GNU-stack, "", @progbits
