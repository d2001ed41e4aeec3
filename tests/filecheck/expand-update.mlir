// RUN: hetc-opt -p expand-update %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.declare @m "memory" : <[10, 4], f32>
    mp.declare @x "input" : <[8, 4], f32>
    mp.declare @idx "input" : <[8], i32>
    mp.step @p grows {} pins {} {
      %m = mp.get "m" : !mp.tensor<[10, 4], f32>
      %x = mp.get "x" : !mp.tensor<[8, 4], f32>
      %idx = mp.get "idx" : !mp.tensor<[8], i32>

      // CHECK:      %m_1 = mp.compute [#mp.range<i0 in 10>, #mp.range<i1 in 4>] {
      // CHECK-NEXT: ^bb{{.*}}([[N:%.*]]: index, [[D:%.*]]: index):
      // CHECK:        [[OLD:%.*]] = mp.read %m[[[N]], [[D]]]
      // CHECK:        [[LAST:%.*]] = mp.reduce "max" <j in 8> {
      // CHECK-NEXT:   ^bb{{.*}}([[J:%.*]]: index):
      // CHECK:          [[RANK:%.*]] = arith.index_cast [[J]] : index to i32
      // CHECK:          [[PLACE:%.*]] = mp.read %idx[[[J]]]
      // CHECK:          [[AT:%.*]] = arith.index_cast [[PLACE]] : i32 to index
      // CHECK:          [[HERE:%.*]] = arith.cmpi eq, [[AT]], [[N]] : index
      // CHECK-NEXT:     mp.yield [[RANK]] if [[HERE]] : i32
      // CHECK:        [[FOUND:%.*]] = arith.cmpi sge, [[LAST]]
      // CHECK:        [[WINNER:%.*]] = arith.index_cast [[LAST]] : i32 to index
      // CHECK:        [[NEW:%.*]] = mp.read %x[[[WINNER]], [[D]]] if [[FOUND]]
      // CHECK:        [[KEPT:%.*]] = arith.select [[FOUND]], [[NEW]], [[OLD]] : f32
      // CHECK-NEXT:   mp.yield [[KEPT]] : f32
      // CHECK-NEXT: } {stage = "prepare"} : !mp.tensor<[10, 4], f32>
      %m_1 = mp.update "assign" %m [#mp.range<j in 8>, #mp.range<d in 4>] {
      ^bb0(%j: index, %d: index):
        %place = mp.read %idx[%j] : !mp.tensor<[8], i32> -> i32
        %at = arith.index_cast %place : i32 to index
        %v = mp.read %x[%j, %d] : !mp.tensor<[8, 4], f32> -> f32
        mp.put %v at [%at, %d] : f32
      } {stage = "prepare"} : !mp.tensor<[10, 4], f32> -> !mp.tensor<[10, 4], f32>

      // Sums what goes to the element; the shifted index is read off, and must be in range.
      // CHECK:      %m_2 = mp.compute
      // CHECK-NEXT: ^bb{{.*}}([[N:%.*]]: index, [[D:%.*]]: index):
      // CHECK:        [[OLD:%.*]] = mp.read %m_1
      // CHECK:        [[J:%.*]] = arith.subi [[N]]
      // CHECK:        [[GUARD:%.*]] = arith.cmpi sge, [[J]]
      // CHECK:        [[V:%.*]] = mp.read %x[[[J]], [[D]]] if [[GUARD]]
      // CHECK:        [[ADDED:%.*]] = arith.select [[GUARD]], [[V]]
      // CHECK:        arith.addf [[OLD]], [[ADDED]] : f32
      // CHECK-NOT:  mp.update
      %m_2 = mp.update "add" %m_1 [#mp.range<j in 8>, #mp.range<d in 4>] {
      ^bb0(%j: index, %d: index):
        %two = arith.constant 2 : index
        %at = arith.addi %j, %two : index
        %v = mp.read %x[%j, %d] : !mp.tensor<[8, 4], f32> -> f32
        mp.put %v at [%at, %d] : f32
      } {stage = "prepare"} : !mp.tensor<[10, 4], f32> -> !mp.tensor<[10, 4], f32>
      mp.commit "m", %m_2 : !mp.tensor<[10, 4], f32>
    }
  }
}
