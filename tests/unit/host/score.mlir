builtin.module {
  mp.pipeline @tiny {
    mp.dim @B bound 8 : i64
    mp.dim @T bound 64 : i64 per "B"
    mp.declare @keys "memory" : <[B, T, 4], f32> {home = "fpga"}
    mp.declare @W "weight" : <[4], f32>
    mp.declare @x "input" : <[B, 4], f32>
    mp.step @decode grows {T = 1 : i64} pins {} {
      %keys = mp.get "keys" : !mp.tensor<[B, T, 4], f32>
      %W = mp.get "W" : !mp.tensor<[4], f32>
      %x = mp.get "x" : !mp.tensor<[B, 4], f32>
      %xg = task.transfer %x from "host" to "gpu" : !mp.tensor<[B, 4], f32> -> !mp.tensor<[B, 4], f32>
      %Wg = task.transfer %W from "host" to "gpu" : !mp.tensor<[4], f32> -> !mp.tensor<[4], f32>
      %k = task.kernel @prepare on "gpu" stages ["prepare"] (%xg, %Wg) {
      ^bb0(%a: !mp.tensor<[B, 4], f32>, %w: !mp.tensor<[4], f32>):
        %r = mp.compute [#mp.range<b in B>, #mp.range<d in 4>] {
        ^bb1(%b: index, %d: index):
          %1 = mp.read %a[%b, %d] : !mp.tensor<[B, 4], f32> -> f32
          %2 = mp.read %w[%d] : !mp.tensor<[4], f32> -> f32
          %3 = arith.mulf %1, %2 : f32
          mp.yield %3 : f32
        } : !mp.tensor<[B, 4], f32>
        task.return %r : !mp.tensor<[B, 4], f32>
      } : (!mp.tensor<[B, 4], f32>, !mp.tensor<[4], f32>) -> !mp.tensor<[B, 4], f32>
      %kf = task.transfer %k from "gpu" to "fpga" : !mp.tensor<[B, 4], f32> -> !mp.tensor<[B, 4], f32>
      %k1 = mp.append %keys, %kf along "T" : !mp.tensor<[B, T, 4], f32>, !mp.tensor<[B, 4], f32> -> !mp.tensor<[B, T, 4], f32>
      %s = task.kernel @scan on "fpga" stages ["relevancy"] (%k1, %kf) {
      ^bb0(%m: !mp.tensor<[B, T, 4], f32>, %q: !mp.tensor<[B, 4], f32>):
        %r = mp.compute [#mp.range<b in B>, #mp.range<t in T per 0>] {
        ^bb1(%b: index, %t: index):
          %v = mp.reduce "sum" <d in 4> {
          ^bb2(%d: index):
            %1 = mp.read %q[%b, %d] : !mp.tensor<[B, 4], f32> -> f32
            %2 = mp.read %m[%b, %t, %d] : !mp.tensor<[B, T, 4], f32> -> f32
            %3 = arith.mulf %1, %2 : f32
            mp.yield %3 : f32
          } : f32
          mp.yield %v : f32
        } : !mp.tensor<[B, T], f32>
        task.return %r : !mp.tensor<[B, T], f32>
      } : (!mp.tensor<[B, T, 4], f32>, !mp.tensor<[B, 4], f32>) -> !mp.tensor<[B, T], f32>
      mp.commit "keys", %k1 : !mp.tensor<[B, T, 4], f32>
      mp.output "s", %s as f32 : !mp.tensor<[B, T], f32>
    }
  }
}
