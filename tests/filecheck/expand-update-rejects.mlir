// RUN: hetc-opt -p expand-update --verify-diagnostics %s | filecheck %s

// CHECK: mp.update: values of type i1 are not added
builtin.module {
  mp.pipeline @p {
    mp.declare @m "memory" : <[8], i1>
    mp.step @p grows {} pins {} {
      %m = mp.get "m" : !mp.tensor<[8], i1>
      %m_1 = mp.update "add" %m [#mp.range<j in 8>] {
      ^bb0(%j: index):
        %v = arith.constant true
        mp.put %v at [%j] : i1
      } : !mp.tensor<[8], i1> -> !mp.tensor<[8], i1>
    }
  }
}
