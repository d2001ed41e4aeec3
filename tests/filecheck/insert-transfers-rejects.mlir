// RUN: hetc-opt -p cut-kernels,insert-transfers --verify-diagnostics %s | filecheck %s

// CHECK: memory keys has no home
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.dim @T bound 4096 : i64 per "B"
    mp.declare @keys "memory" : <[B, T, 16], bf16>
    mp.declare @x "input" : <[B, 16], f32>
    mp.step @p grows {T = 1 : i64} pins {} {
      %keys = mp.get "keys" : !mp.tensor<[B, T, 16], bf16>
      %x = mp.get "x" : !mp.tensor<[B, 16], f32>
      %row = mp.compute [#mp.range<b in B>, #mp.range<d in 16>] {
      ^bb0(%b: index, %d: index):
        %v = mp.read %x[%b, %d] : !mp.tensor<[B, 16], f32> -> f32
        %w = math.exp %v : f32
        mp.yield %w : f32
      } {stage = "prepare", device = "gpu"} : !mp.tensor<[B, 16], f32>
      %grown = mp.append %keys, %row along "T" {stage = "prepare"} : !mp.tensor<[B, T, 16], bf16>, !mp.tensor<[B, 16], f32> -> !mp.tensor<[B, T, 16], bf16>
      %s = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
      ^bb0(%b: index, %t: index):
        %v = mp.reduce "sum" <d in 16> {
        ^bb0(%d: index):
          %k = mp.read %grown[%b, %t, %d] : !mp.tensor<[B, T, 16], bf16> -> f32
          %q = mp.read %x[%b, %d] : !mp.tensor<[B, 16], f32> -> f32
          %m = arith.mulf %k, %q : f32
          mp.yield %m : f32
        } : f32
        mp.yield %v : f32
      } {stage = "relevancy", device = "fpga"} : !mp.tensor<[B, T], f32>
      %picked, %best = mp.topk 4 : i64 "any" [#mp.range<b in B>, #mp.range<t in T per 0>] {
      ^bb0(%b: index, %t: index):
        %v = mp.read %s[%b, %t] : !mp.tensor<[B, T], f32> -> f32
        mp.yield %v : f32
      } {stage = "retrieve", device = "fpga"} : !mp.tensor<[B, 4], index>, !mp.tensor<[B, 4], f32>
      mp.output "picked", %picked as index : !mp.tensor<[B, 4], index>
      mp.commit "keys", %grown : !mp.tensor<[B, T, 16], bf16>
    }
  }
}
