// RUN: hetc-opt -p index-width --verify-diagnostics %s | filecheck %s

// CHECK: index-width: mp.guard has no form on indices of 64 bits
builtin.module {
  mp.pipeline @p {
    mp.dim @N bound 16 : i64
    mp.declare @at "input" : <[N], i64>
    mp.step @p grows {} pins {} {
      %at = mp.get "at" : !mp.tensor<[N], i64>
      %y = mp.compute [#mp.range<n in N>] {
      ^bb0(%n: index):
        %a = mp.read %at[%n] : !mp.tensor<[N], i64> -> i64
        %i = arith.index_cast %a : i64 to index
        %zero = arith.constant 0 : index
        %c = arith.cmpi sge, %i, %zero : index
        %g = mp.guard %i if %c : index
        mp.yield %g : index
      } : !mp.tensor<[N], !mp.index64>
    }
  }
}
