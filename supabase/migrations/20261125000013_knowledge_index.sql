-- The nearest passages of one tenant. Two ways lead there, and the planner takes the cheaper one by the tenant's share
-- of the table: the few hundred passages of a shop are compared one by one, found by (tenant_id, file_id, position);
-- the many thousands of a large business by the graph below. The graph ranks all tenants' passages and filters after, so
-- its scan goes on until enough of this tenant's have come (docs/decisions/0005); otherwise a shop would get none.
create index knowledge_chunks_embedding on public.knowledge_chunks
  using hnsw (embedding extensions.vector_cosine_ops);

alter function public.search_knowledge(uuid, extensions.vector, integer) set hnsw.iterative_scan = 'strict_order';
