// RUN: hetc-opt -p bind-arguments %s | filecheck %s

// A kernel on another kind of device has a list of its own.
// CHECK: nest.kernel @k task "k" on "gpu" arguments [] scratch [] {
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 4096 : i64 per "B"
    mp.dim @N bound 512 : i64
  }
  nest.kernel @k task "k" on "gpu" arguments [] scratch [] {
  ^bb0(%x: !mp.tensor<[B, T], f32>, %unused: !mp.tensor<[B], f32>, %tf: !mp.tensor<[B, T], ui8, #mp.sparse<#builtin.int<100>>>, %rows: !mp.tensor<[B, T, 8], bf16, #mp.rows<8 at 0 in pages of 16 every 128>>, %s: !nest.buf<[B] x f32, global>):
    %kept = nest.buffer "kept" : !nest.buf<[B, N] x bf16, global>
    nest.phase {
      %zero = arith.constant 0 : index
      %batch = mp.dim_size "B" : index
      nest.for %zero to %batch step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %live = mp.dim_size "T" per %b : index
        nest.for %zero to %live step 1 : i64 most 4096 : i64 {
        ^bb0(%t: index):
          %v = nest.read %x[%b, %t] : !mp.tensor<[B, T], f32> -> f32
          %w = nest.read %rows[%b, %t, %zero] : !mp.tensor<[B, T, 8], bf16, #mp.rows<8 at 0 in pages of 16 every 128>> -> f32
          %sum = arith.addf %v, %w : f32
          nest.store %sum in %kept[%b, %zero] : f32, !nest.buf<[B, N] x bf16, global>
        }
        nest.entries %tf[%b] from %zero to %live most 4096 : i64 {
        ^bb0(%n: index, %count: i32):
          %number = arith.sitofp %count : i32 to f32
          nest.store %number in %s[%b] : f32, !nest.buf<[B] x f32, global>
        } : !mp.tensor<[B, T], ui8, #mp.sparse<#builtin.int<100>>>
      }
    }
  }
}
