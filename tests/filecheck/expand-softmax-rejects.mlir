// RUN: hetc-opt -p expand-softmax --verify-diagnostics %s | filecheck %s

// CHECK: expand-softmax: expected scores of type f32, got i32
builtin.module {
  mp.pipeline @p {
    mp.declare @s "input" : <[4, 8], i32>
    mp.step @p grows {} pins {} {
      %s = mp.get "s" : !mp.tensor<[4, 8], i32>
      %p = mp.softmax [1 : i64] [#mp.range<b in 4>, #mp.range<t in 8>] {
      ^bb0(%b: index, %t: index):
        %v = mp.read %s[%b, %t] : !mp.tensor<[4, 8], i32> -> i32
        mp.yield %v : i32
      } : !mp.tensor<[4, 8], f32>
    }
  }
}
