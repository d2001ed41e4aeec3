// RUN: hetc-opt -p lower-to-hls --verify-diagnostics %s | filecheck %s

// CHECK: not supported on the FPGA: absent values must be explicit here (run explicit-presence first)

builtin.module {
  mp.pipeline @p_scan {
    mp.dim @B bound 8 : i64
    mp.dim @T bound 4096 : i64 per "B" 
    mp.declare @q "input" : <[B, 32], f32>
mp.declare @keys "input" : <[B, T, 32], bf16>
    mp.step @s grows {} pins {} {
      %q_ = mp.get "q" : !mp.tensor<[B, 32], f32>
%keys_ = mp.get "keys" : !mp.tensor<[B, T, 32], bf16>
      %out0 = task.kernel @scan on "fpga" stages ["relevancy"]  (%q_, %keys_) {
      ^bb0(%q: !mp.tensor<[B, 32], f32>, %keys: !mp.tensor<[B, T, 32], bf16>):
        
        %i, %v = mp.topk 4 : i64 "any" [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb1(%b: index, %t: index):
          %r = mp.reduce "sum" <d in 32> {
          ^bb2(%d: index):
            %x = mp.read %q[%b, %d] : !mp.tensor<[B, 32], f32> -> f32
            %y = mp.read %keys[%b, %t, %d] : !mp.tensor<[B, T, 32], bf16> -> f32
            %c = arith.cmpf ogt, %x, %y : f32
            %m = arith.mulf %x, %y : f32
            %g = mp.guard %m if %c : f32
            mp.yield %g : f32
          } : f32
          mp.yield %r : f32
        } : !mp.tensor<[B, 4], index>, !mp.tensor<[B, 4], f32>
        task.return %i : !mp.tensor<[B, 4], index>
      } : (!mp.tensor<[B, 32], f32>, !mp.tensor<[B, T, 32], bf16>) -> (!mp.tensor<[B, 4], index>)
    }
  }
}
